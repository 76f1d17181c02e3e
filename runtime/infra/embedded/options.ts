// What the host and its database process tell each other.
import type { Listen } from "./server";

export interface EmbeddedOptions {
  /** One folder per database below it. */
  dataDir: string;
  /** The first is opened at once, the others at their first connection. */
  databases: string[];
  listen: Listen;
  /** By user. */
  passwords?: Record<string, string>;
  idleOwnerMs: number;
  /** The data folder goes with the process: a test's copy. */
  temporary?: boolean;
}

/** Milliseconds a transaction may idle while other connections wait, where nothing else is said. */
export const defaultIdleOwnerMs = 20_000;

/**
 * How the WebAssembly code is compiled. A test's copy lives for seconds: fast rather than well. Else only what has run for
 * about a second altogether is compiled well: to do it earlier takes two seconds of a core at the start and memory.
 */
export const compilerFlags = (temporary: boolean): string =>
  temporary ? "--liftoff-only" : "--wasm-tiering-budget=1000000000";

/** The other errand of the same script: make a data folder and end. */
export interface InitialiseOptions {
  initialise: { dataDir: string; name: string };
}

export type EmbeddedAnswer = { ready: true; port: number } | { failed: string };
