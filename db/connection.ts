// Taking a connection from the pool, and knowing once per process how isolation holds on it.
import type { PoolClient } from "pg";
import { checkIsolation } from "./boot-check";
import { admitSystem, admitTenant, presentRing } from "./capability";
import { toDbError } from "./errors";
import { appPool } from "./pool";
import type { Isolation, Scope } from "./scope";
import { limitSilence } from "./silence";

let checked: { by: object; found: Promise<Isolation> } | undefined;

/**
 * How isolation holds, asked on first use and when the master key has changed; throws as checkIsolation does, and asks
 * again next time after a failure.
 */
export async function isolation(): Promise<Isolation> {
  const by = presentRing();
  if (checked?.by !== by) {
    const found = check().catch((error: unknown) => {
      checked = undefined;
      throw toDbError(error);
    });
    checked = { by, found };
  }
  return checked.found;
}

/** Asks whether the database still takes this process's master key, which may have been retired since it started. */
export async function askAgain(): Promise<void> {
  try {
    await admit();
  } catch (error) {
    checked = undefined;
    throw toDbError(error);
  }
}

async function check(): Promise<Isolation> {
  const found = await checkIsolation(appPool());
  await admit();
  return found;
}

async function admit(): Promise<void> {
  const client = await checkout();
  try {
    await admitSystem(client);
  } finally {
    client.release();
  }
}

/** How isolation holds, once the database knows the scope's token: before the first statement of a transaction. */
export async function readyFor(scope: Scope): Promise<Isolation> {
  const found = await isolation();
  if (scope.kind !== "system") await admitTenant(appPool(), scope.tenantId, checkout);
  return found;
}

/**
 * A connection to use and release. A connection that breaks while it is held fails its statements; without
 * the listener the driver's 'error' event would end the process. `statementTimeoutMs`: what its statements are given,
 * where that is not DB_STATEMENT_TIMEOUT_MS; a server that is silent for longer loses the connection.
 */
export async function checkout(statementTimeoutMs?: number): Promise<PoolClient> {
  let client: PoolClient;
  try {
    client = await appPool().connect();
  } catch (error) {
    throw toDbError(error);
  }
  if (statementTimeoutMs !== undefined) limitSilence(client, statementTimeoutMs);
  if (client.listenerCount("error") === 0) client.on("error", () => undefined);
  return client;
}
