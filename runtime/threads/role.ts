// What part this thread plays in its process. The main thread listens, consumes topics and keeps the clock; with worker
// threads it hands the work to them and runs no handler itself, so that a busy handler never holds up the listener.
import { isMainThread } from "node:worker_threads";
import { ThreadMember } from "./member";
import { ThreadPool } from "./pool";

export type ThreadRole =
  { kind: "alone" } | { kind: "main"; pool: ThreadPool } | { kind: "worker"; member: ThreadMember };

/** Threads with the app's modules in them: the handlers' and, when there are several of those, the main one. */
export function realmCount(workerThreads: number): number {
  return workerThreads > 1 ? workerThreads + 1 : 1;
}

export function threadRole(workerThreads: number): ThreadRole {
  if (workerThreads <= 1) return { kind: "alone" };
  return isMainThread
    ? { kind: "main", pool: new ThreadPool(workerThreads) }
    : { kind: "worker", member: new ThreadMember() };
}
