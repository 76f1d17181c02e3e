// What a process that reads texts for markdown-processes.ts does over IPC: one request at a time, answered by `answer`.
//   {id, …}  → {id, …what answer() returns}; a failure is {id, error}
// "ready" comes first, once: from then on the time of a text is counted. It ends with its parent, however that ends.
import { Script } from "node:vm";

/** By itself it ends a text only when the parent does not; then with the status that timeout(1) has. */
const OVER_TIME_STATUS = 124;

/**
 * In a loop a process does not see that its parent is gone, so it has a limit of its own (node:vm's `timeout` comes from
 * another thread, and ends a regular expression too), from its first argument, in milliseconds.
 */
export function serve(answer) {
  const timeout = Number(process.argv[2]);
  const run = new Script("groundworkAnswer()");

  process.on("disconnect", () => process.exit(0));
  // A process group's signals are for the parent, which decides when this one ends.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

  process.on("message", (request) => {
    globalThis.groundworkAnswer = () => answer(request);
    try {
      send({ id: request.id, ...run.runInThisContext({ timeout }) });
    } catch (error) {
      if (error?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") process.exit(OVER_TIME_STATUS);
      send({ id: request.id, error: String(error) });
    }
  });

  send("ready");
}

/** The parent may have gone meanwhile: then nobody waits for it. */
function send(message) {
  process.send(message, () => undefined);
}
