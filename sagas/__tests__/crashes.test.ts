// On a server each place, elsewhere some of them, others at each run: repeat one with GROUNDWORK_CRASH_FROM.
import { randomInt } from "node:crypto";
import { defineCrashSuite } from "./crash-suite";

const every = process.env.GROUNDWORK_TEST_POSTGRES_URL === undefined ? 11 : 1;

defineCrashSuite({ every, from: Number(process.env.GROUNDWORK_CRASH_FROM ?? randomInt(1, every + 1)) });
