// A database object of the native module without the rest of a host around it.
import type { Host } from "../../host";
import { createDatabases } from "..";
import { emptyDatabase } from "../../infra/__tests__/support";
import { type Cursor, QueryArgs, type SqlDatabase } from "../native-classes";

/** The text the SDK's Decimal would be made from stays visible. */
export class DecimalText {
  constructor(readonly text: string) {}
}

export function databasesAt(
  urls: Record<string, string>,
  silenceMs?: number,
): {
  database: ReturnType<typeof createDatabases>["database"];
  close(): Promise<void>;
  warnings: string[];
} {
  const warnings: string[] = [];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message: string) => warnings.push(message),
    error: () => undefined,
    prepareInfo: () => null,
  };
  const config = {
    databases: Object.fromEntries(Object.entries(urls).map(([name, url]) => [name, { url, maxConnections: 5 }])),
  };
  const host = {
    config,
    model: {},
    testMode: true,
    log,
    newDecimal: (text: string) => new DecimalText(text),
  } as unknown as Host;
  const databases = createDatabases(host, silenceMs);
  return { database: (name) => databases.database(name), close: () => databases.drain(), warnings };
}

/** A database of its own for a test file, with the host around it. */
export async function freshDatabase(): Promise<{
  host: ReturnType<typeof databasesAt>;
  db: SqlDatabase;
  url: string;
  drop(): Promise<void>;
}> {
  const clone = await emptyDatabase({ GROUNDWORK_TEST_POSTGRES_URL: process.env.GROUNDWORK_TEST_POSTGRES_URL });
  const host = databasesAt({ app: clone.url });
  return {
    host,
    db: host.database("app"),
    url: clone.url,
    async drop() {
      await host.close();
      await clone.drop();
    },
  };
}

interface Queryable {
  query(sql: string, args: QueryArgs): Promise<Cursor>;
}

/** All rows of a statement, as the SDK collects them. */
export async function all(on: Queryable, sql: string, ...params: unknown[]): Promise<Record<string, unknown>[]> {
  const cursor = await on.query(sql, new QueryArgs(params));
  const rows: Record<string, unknown>[] = [];
  for (let row = await cursor.next(); row; row = await cursor.next()) rows.push(row.values());
  return rows;
}

export async function one(on: Queryable, sql: string, ...params: unknown[]): Promise<unknown> {
  return Object.values((await all(on, sql, ...params))[0] ?? {})[0];
}
