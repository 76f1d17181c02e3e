// Looks at the time from a thread of its own, for what runs in the other lets nothing else run: a run that neither its engine
// nor the parent has ended (which may be held, or gone) ends with this process. The number it shares is the time in ms that the run
// under way has left; 0 while there is none.
import { parentPort, workerData as left } from "node:worker_threads";

parentPort.postMessage("watching");
for (;;) {
  const limitMs = Atomics.load(left, 0);
  if (limitMs === 0) Atomics.wait(left, 0, 0);
  else if (Atomics.wait(left, 0, limitMs, limitMs) === "timed-out") process.kill(process.pid, "SIGKILL");
}
