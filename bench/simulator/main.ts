// `npm run simulate -- [--faults 10000] [--seed N] [--lanes 4] [--keep]`: see README.md, "The simulator". Servers of its own,
// which it starts and removes; needs root and Debian, as `npm run test:pg` does. Ends with 1 when anything was found.
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { createRandom } from "../../runtime/__tests__/whole-app/support/fuzz/random";
import { drawPlan, offsetFrom } from "./plan";
import { plantBugs } from "./planted";
import { reportOf } from "./report";
import { simulate } from "./run";
import { World } from "./world";

const TELL_EVERY = 500;

const { values } = parseArgs({
  options: {
    faults: { type: "string", default: "10000" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    lanes: { type: "string", default: "4" },
    keep: { type: "boolean", default: false },
  },
});
const [seed, faults, lanes] = [values.seed, values.faults, values.lanes].map(Number) as [number, number, number];
const say = (line: string): void => void process.stdout.write(`${line}\n`);

process.env.GROUNDWORK_TEST_OWN_BROKERS = "1";
const random = createRandom(seed);
const startedAtMs = performance.now();
say(`simulator: seed ${seed}, ${faults} faults, ${lanes} at once`);
const world = await World.start("simulator", () => offsetFrom(random));
let isOver: Promise<void> | undefined;
const end = (keepsTraces: boolean): Promise<void> => (isOver ??= world.end(keepsTraces));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void end(true).finally(() => process.exit(130)));
let isClean = false;
try {
  const onStep = (done: number): void => {
    if (done % TELL_EVERY === 0)
      say(`  ${done} faults after ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`);
  };
  const outcome = await simulate(world, drawPlan(random, faults), { lanes, onStep });
  reportOf(outcome, seed).forEach(say);
  const ended = world.ended;
  if (ended.length > 0) say(`  ended by themselves: ${ended.join(", ")}`);
  const { expected, found } = await plantBugs(world);
  const areFound = expected.join() === found.join();
  say(`  planted bugs: ${areFound ? "each found" : `expected ${expected.join(", ")}, found ${found.join(", ")}`}`);
  isClean = outcome.verdict.findings.length === 0 && ended.length === 0 && areFound;
} finally {
  const keepsTraces = values.keep || !isClean;
  if (keepsTraces) say(`  logs and ledger: ${world.traces}`);
  await end(keepsTraces);
}
process.exit(isClean ? 0 : 1);
