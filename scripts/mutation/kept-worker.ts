// A pool for vitest that keeps its worker thread from one run to the next. Starting a thread and loading the installed
// packages costs half a second, a hundred times what a rule's suite takes, and a mutation run starts a suite for each
// change. Only what is in node_modules stays loaded: the app's own modules are loaded anew for each run (vitest's
// `isolate`), so no state of ours outlives a change.
// Source: vitest, "Custom Pool" (PoolRunnerInitializer) and the messages of its threads pool.
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { PoolOptions, PoolRunnerInitializer, PoolWorker, WorkerRequest } from "vitest/node";

type Listener = (arg: unknown) => void;

/** What a thread's modules leave behind is bounded: after as many runs it is replaced. */
const RUNS_MAX = 150;

let thread: Worker | undefined;
let runs = 0;

/** One run's view of the kept thread: it answers by itself what only begins or ends a thread. */
class KeptWorker implements PoolWorker {
  readonly name = "kept";
  private readonly listeners: [string, Listener][] = [];
  private isFirst = false;
  /** What this run's thread would have been started with: which tests are meant stands in its configuration. */
  private startContext: object = {};

  constructor(private readonly options: PoolOptions) {}

  async start(): Promise<void> {
    if (runs++ >= RUNS_MAX) await endThread();
    this.isFirst = thread === undefined;
    thread ??= new Worker(join(this.options.distPath, "workers/threads.js"), {
      env: this.options.env as NodeJS.ProcessEnv,
      execArgv: this.options.execArgv,
    });
  }

  /** The thread stays; its next run listens for itself. */
  stop(): Promise<void> {
    for (const [event, listener] of this.listeners) thread?.off(event, listener);
    this.listeners.length = 0;
    return Promise.resolve();
  }

  send(message: WorkerRequest): void {
    if (message.type === "stop") return this.answer("stopped");
    if (message.type === "start") {
      this.startContext = message.context;
      if (!this.isFirst) return this.answer("started");
    }
    const isRun = message.type === "run";
    thread?.postMessage(isRun ? { ...message, context: { ...this.startContext, ...message.context } } : message);
  }

  on(event: string, listener: Listener): void {
    this.listeners.push([event, listener]);
    thread?.on(event, listener);
  }

  off(event: string, listener: Listener): void {
    thread?.off(event, listener);
  }

  deserialize(data: unknown): unknown {
    return data;
  }

  private answer(type: "started" | "stopped"): void {
    const message = { type, __vitest_worker_response__: true };
    for (const [event, listener] of [...this.listeners])
      if (event === "message") queueMicrotask(() => listener(message));
  }
}

/** To be called when vitest is closed, too. */
export async function endThread(): Promise<void> {
  const leaving = thread;
  thread = undefined;
  runs = 1; // the run that asked for it
  await leaving?.terminate();
}

export const keptWorkers: PoolRunnerInitializer = {
  name: "kept",
  createPoolWorker: (options) => new KeptWorker(options),
};
