// Breaks `cycles` together with worker.ts: one of the two arrows is a type.
import type { Worker } from "./worker";

export interface Job {
  worker: Worker;
}
