// As event-loop.test.ts, with every kind of body on every endpoint there is. With GROUNDWORK_FUZZ_LONG=1 every field, header, query and
// path of every endpoint as well.
import { holdsNoEventLoop } from "./support/event-loop";

holdsNoEventLoop({ endpointsPerBody: Infinity, all: process.env.GROUNDWORK_FUZZ_LONG === "1" });
