// What the host and its database process tell each other.
import type { Listen } from "./server";

export interface EmbeddedOptions {
  /** One folder per database below it. */
  dataDir: string;
  /** The first is opened at once, the others at their first connection. */
  databases: string[];
  listen: Listen;
  password?: string;
  idleOwnerMs: number;
  /** The data folder goes with the process: a test's copy. */
  temporary?: boolean;
}

/** The other errand of the same script: make a data folder and end. */
export interface InitialiseOptions {
  initialise: { dataDir: string; name: string };
}

export type EmbeddedAnswer = { ready: true; port: number } | { failed: string };
