// Taking a connection from the pool, and knowing once per process how isolation holds on it.
import type { PoolClient } from "pg";
import { checkIsolation } from "./boot-check";
import { admitSystem, admitTenant } from "./capability";
import { toDbError } from "./errors";
import { appPool } from "./pool";
import type { Isolation, Scope } from "./scope";
import { limitSilence } from "./silence";

let checked: Promise<Isolation> | undefined;

/** How isolation holds, asked on first use; throws as checkIsolation does, and asks again next time after a failure. */
export function isolation(): Promise<Isolation> {
  checked ??= check().catch((error: unknown) => {
    checked = undefined;
    throw toDbError(error);
  });
  return checked;
}

async function check(): Promise<Isolation> {
  const found = await checkIsolation(appPool());
  const client = await checkout();
  try {
    await admitSystem(client);
    return found;
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
