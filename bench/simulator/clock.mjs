// Loaded into each process of the simulator's app (`node --import`): its clock is off by what a file says, read at start
// and again at SIGUSR2, as a time service that steps a clock would do it. What ends a run outright leaves no process behind.
import { readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const PARENT_LOOK_MS = 1_000;
const file = process.env.SIMULATOR_CLOCK_FILE;

if (file !== undefined) {
  const realNow = Date.now.bind(Date);
  const realOrigin = performance.timeOrigin;
  let offsetMs = 0;
  const read = () => {
    offsetMs = Number(readFileSync(file, "utf8"));
  };
  const now = () => realNow() + offsetMs;
  read();
  Date.now = now;
  globalThis.Date = new Proxy(Date, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
    apply: (target) => new target(now()).toString(),
  });
  Object.defineProperty(performance, "timeOrigin", { configurable: true, get: () => realOrigin + offsetMs });
  if (isMainThread) {
    process.on("SIGUSR2", read);
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
    }, PARENT_LOOK_MS).unref();
  }
}
