// Syntax checks of SQL texts by Postgres' own grammar (libpg-query, WebAssembly). It loads asynchronously while a parse
// is synchronous, so it runs in a worker that the parse waits for; an app without such texts never starts it.
import { createRequire } from "node:module";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";

const TIMEOUT_MS = 20_000;

/** What is wrong with each text; null where nothing is. */
type Answers = (string | null)[];

const WORKER = `
const { workerData } = require("node:worker_threads");
const { port, flag, library, texts } = workerData;
const done = new Int32Array(flag);
const check = (library, text) => {
  try { library.parseSync(text); return null; } catch (error) { return error.message; }
};
const finish = (answer) => { port.postMessage(answer); Atomics.store(done, 0, 1); Atomics.notify(done, 0); };
const library_ = require(library);
library_.loadModule().then(() => finish(texts.map((text) => check(library_, text))), (error) => finish(String(error)));
`;

/**
 * Checks texts with `$1` in place of their parameters.
 * @throws Error when the grammar itself cannot be loaded
 */
export function sqlProblems(texts: string[]): Answers {
  if (!texts.length) return [];
  const flag = new SharedArrayBuffer(4);
  const { port1, port2 } = new MessageChannel();
  const library = createRequire(import.meta.url).resolve("libpg-query");
  const worker = new Worker(WORKER, {
    eval: true,
    workerData: { port: port2, flag, library, texts },
    transferList: [port2],
    env: {},
  });
  worker.unref();
  const outcome = Atomics.wait(new Int32Array(flag), 0, 0, TIMEOUT_MS);
  const received: { message: Answers | string } | undefined = receiveMessageOnPort(port1);
  port1.close();
  void worker.terminate();
  const message = received?.message;
  if (message !== undefined && typeof message !== "string") return message;
  throw new Error(`the SQL grammar could not be loaded: ${message ?? outcome}`);
}
