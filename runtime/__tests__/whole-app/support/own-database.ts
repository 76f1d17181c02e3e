// A database of its own on the native server, for suites that kill what uses it.
import pg from "pg";

export interface OwnDatabase {
  url: string;
  /** A connection to it, as whoever owns the server. */
  client: pg.Client;
  /** Ends the connection and drops the database, whoever is still connected to it. */
  drop(): Promise<void>;
}

/** @param name of the suite; the process's id is added */
export async function makeOwnDatabase(name: string): Promise<OwnDatabase> {
  const server = process.env.GROUNDWORK_TEST_POSTGRES_URL;
  if (server === undefined) throw new Error("GROUNDWORK_TEST_POSTGRES_URL is not set: run npm run test:pg");
  const database = `groundwork_${name}_${process.pid}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`create database ${database}`);
  const url = new URL(server);
  url.pathname = `/${database}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  return {
    url: url.href,
    client,
    drop: async () => {
      await client.end();
      await admin.query(`drop database if exists ${database} with (force)`);
      await admin.end();
    },
  };
}
