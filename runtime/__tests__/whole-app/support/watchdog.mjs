// Loaded into the app's process (`node --import`) by a test that wants to know what holds its event loop. Counts the
// processor time of the main thread between two ticks, not the time that went by: other processes of a busy machine
// take the latter, never the former. Answers what there was
// since it was asked last, in milliseconds: the most between two ticks, and all.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { isMainThread } from "node:worker_threads";

const TICK_MS = 5;
const addressFile = process.env.WATCHDOG_FILE;

/** Milliseconds that this thread has run. Without Linux' account of it: those of the whole process. */
function ranMs() {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  }
}

// The app's children inherit the option: they have event loops of their own, which nobody waits for.
const program = process.env.WATCHDOG_PROGRAM ?? "cli.js";
if (isMainThread && addressFile !== undefined && process.argv[1]?.endsWith(program)) {
  let last = ranMs();
  let longestMs = 0;
  let ranBefore = last;
  setInterval(() => {
    const now = ranMs();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, TICK_MS).unref();
  const server = createServer((request, response) => {
    const now = ranMs();
    response.end(JSON.stringify({ longestMs, ranMs: now - ranBefore }));
    longestMs = 0;
    ranBefore = now;
  });
  server.listen(0, "127.0.0.1", () => writeFileSync(addressFile, String(server.address().port), { flag: "wx" }));
  server.unref();
}
