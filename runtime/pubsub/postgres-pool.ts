// The broker's own connections to Postgres, and its tables: BullMQ's in the schema `bullmq`, ours in `groundwork`.
import { PostgresConnection, runMigrations } from "bullmq";
import { Pool, type PoolClient } from "pg";
import { dropWhenSilent } from "../silent-connection";
import { installPubSub } from "./postgres-schema";

export const SCHEMA = "bullmq";

/**
 * The embedded database has one session under all connections, so a search path set here is everybody's and
 * must still find the app's tables first. A real Postgres gives each connection its own.
 */
const setSearchPath = `select set_config('search_path',
  case when version() ~* 'emcc|emscripten|wasm' then 'public, ${SCHEMA}' else '${SCHEMA}, public' end, false)`;

/**
 * `maxConnections` bounds what topics take from the database; idle ones are given back after 30 s, those that say nothing
 * for `silenceMs` while they are asked are dropped.
 */
export function createBrokerPool(url: string, maxConnections: number, silenceMs: number): Pool {
  const pool = new Pool({
    connectionString: url,
    max: maxConnections,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: "groundwork-pubsub",
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool awaits it, its types only do not say so
    onConnect: async (client) => {
      // Before its first statement: the pool's own limit ends when the server has let us in, its `connect` comes after this.
      client.on("error", () => undefined);
      dropWhenSilent(client, silenceMs);
      await client.query(setSearchPath);
    },
  });
  // A connection that breaks is replaced by the next query; without a listener it would end the process, whether
  // it was idle (the pool's event) or checked out (its own).
  pool.on("error", () => undefined);
  return pool;
}

async function migrateWith(client: PoolClient): Promise<void> {
  try {
    await runMigrations(client, SCHEMA);
  } finally {
    client.release();
  }
}

/** Brings the broker's tables up to date; safe to run from several processes at once. */
export async function migrateBroker(pool: Pool): Promise<void> {
  await migrateWith(await pool.connect());
  await installPubSub(pool);
}

/** BullMQ's view of the pool, checked and ready. */
export async function connectBroker(pool: Pool): Promise<PostgresConnection> {
  await migrateBroker(pool);
  const connection = new PostgresConnection(pool);
  await connection.waitUntilReady();
  return connection;
}
