// Every use of the system's scope leaves a trace: which reason, in which hour, how often (table db.system_use).
// Counted in the process and written every WRITE_EVERY_MS, for all reasons in one statement: a row for each use, or one
// that each use counts up itself, would cost the relay's claims as much as they do or make all of a reason wait for one
// another (docs/adr/0009-system-use-is-counted.md has the figures). The table has a row for each reason and hour, however
// busy the app is. What a process has not yet written when it is killed is lost: WRITE_EVERY_MS of counts at most.
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { onShutdown } from "../telemetry/shutdown";
import { checkout, readyFor } from "./connection";
import { DbError } from "./errors";
import { sendPipelined } from "./pipeline";
import { appPool } from "./pool";
import { scopeStatement, type Scope } from "./scope";
import { SYSTEM_USE_ADD } from "./store";
import { UseCounter, WRITING, type CountedUse } from "./use-counter";

export const WRITE_EVERY_MS = 10_000;

let ofProcess: UseCounter | undefined;

/** This process's. Tests ask for its writing themselves. */
export function systemUse(): UseCounter {
  if (ofProcess !== undefined) return ofProcess;
  ofProcess = new UseCounter(usesAdd, cfg.env === "test" ? null : WRITE_EVERY_MS, tellOfFailure);
  // The pool first: what is registered later is ended earlier.
  appPool();
  onShutdown("system use", () => ofProcess?.flush(), "idle");
  return ofProcess;
}

function tellOfFailure(error: unknown): void {
  logger("db").warn({ err: error }, "uses of the system's scope could not be written and are kept");
}

const SCOPE: Scope = { kind: "system", reason: WRITING };

async function usesAdd(uses: readonly CountedUse[]): Promise<void> {
  const setting = scopeStatement(SCOPE, await readyFor(SCOPE), cfg.db.statementTimeoutMs);
  const client = await checkout();
  try {
    const values = [uses.map(({ reason }) => reason), uses.map((use) => use.uses)];
    await sendPipelined(client, [setting, { text: SYSTEM_USE_ADD, values }], true);
    client.release();
  } catch (error) {
    client.release(error instanceof DbError && error.kind === "unavailable");
    throw error;
  }
}
