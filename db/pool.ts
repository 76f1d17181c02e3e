// The one pool of the process, over AppDB's connection string. Made on first use, so that importing a
// library opens nothing; closed on shutdown after everything that uses it.
import pg from "pg";
import { cfg } from "../config";
import { AppDB } from "../database";
import { createConnectionProbe } from "./connection-probe";
import { resetOnRelease } from "./session-reset";
import { dropWhenSilent, limitSilence } from "./silence";
import { logger } from "../telemetry/logger";
import { observeGauge } from "../telemetry/metrics";
import { registerProbe } from "../telemetry/probes";
import { onShutdown } from "../telemetry/shutdown";

const INT8 = 20;
const DATE = 1082;
const CONNECT_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 1_500;

let pool: pg.Pool | undefined;

/** The process's pool; see docs/pooling.md for its size. */
export function appPool(): pg.Pool {
  pool ??= openPool();
  return pool;
}

/** Ends the pool: only for the shutdown and for tests that replace the database. */
export async function closePool(): Promise<void> {
  const closing = pool;
  pool = undefined;
  await closing?.end();
}

function openPool(): pg.Pool {
  const opened = new pg.Pool({
    connectionString: AppDB.connectionString,
    max: cfg.db.poolMax,
    idleTimeoutMillis: cfg.db.idleTimeoutMs,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types: columnTypes(),
  });
  // Without a listener, the end of a connection that is checked out would end the process; its user gets the error anyway.
  opened.on("connect", (client) => {
    client.on("error", () => undefined);
    dropWhenSilent(client);
  });
  // Whoever needs longer says so after (checkout), and for this use only.
  opened.on("acquire", (client) => limitSilence(client, cfg.db.statementTimeoutMs));
  resetOnRelease(opened);
  opened.on("error", (error) => logger("db").warn({ err: error }, "an idle database connection was lost"));
  onShutdown("db pool", closePool, "idle");
  observeGauge("db_pool_active_connections", () => opened.totalCount - opened.idleCount);
  observeGauge("db_pool_idle_connections", () => opened.idleCount);
  observeGauge("db_pool_waiting_requests", () => opened.waitingCount);
  const probe = createConnectionProbe(AppDB.connectionString, PROBE_TIMEOUT_MS);
  registerProbe("database", () => probe.check());
  onShutdown("db probe", () => probe.close(), "idle");
  return opened;
}

/** bigint columns as number where exact (else bigint); dates as `YYYY-MM-DD` text, which has no time zone to get wrong. */
function columnTypes(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, (text) => {
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : BigInt(text);
  });
  types.setTypeParser(DATE, (text) => text);
  return types;
}
