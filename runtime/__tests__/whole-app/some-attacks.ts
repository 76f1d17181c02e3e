// Part of every-endpoint.test.ts: attempts on another organisation in a short form, drawn by the seed from all that tenant-attacks.pg.test.ts
// makes one after the other, and judged as there. The whole app is asked as it is, with every layer.
import { describe, expect, test } from "vitest";
import { Pool } from "undici";
import { rowsOfTable } from "../../../db/__tests__/victim";
import { attack } from "./support/attacks/run";
import { makeWorld, type Send } from "./support/attacks/world";
import type { Document } from "./support/fuzz/openapi";
import { shownOf } from "./support/shown-of";

interface Shared {
  baseUrl: () => string;
  /** In the app's database, past its guard. */
  query: <R>(sql: string, params: unknown[]) => Promise<R[]>;
  count: number;
  seed: number;
}

const LANES = 4;
const STREAM_MS = 1_000;
/** Of the app's own tables with rows of organisations; partitions hold their parents'. */
const TABLES = `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') and c.oid <> 'db.system_use'::regclass`;

export function someAttacks({ baseUrl, query, count, seed }: Shared): void {
  describe(`attempts on another organisation (seed ${seed})`, () => {
    test(`${count} of all kinds read and change nothing`, async () => {
      const pool = new Pool(baseUrl(), { connections: LANES });
      const send: Send = async ({ method, path, headers, body }) => {
        const response = await pool.request({ method, path, headers: headers ?? {}, body: body ?? null });
        return { status: response.statusCode, body: await shownOf(response, STREAM_MS) };
      };
      const rows = async (): Promise<Map<string, string[]>> => {
        const found = new Map<string, string[]>();
        for (const { name } of await query<{ name: string }>(TABLES, []))
          found.set(
            name,
            (await query<{ row: string }>(rowsOfTable(name), [])).map(({ row }) => row),
          );
        return found;
      };
      try {
        const world = await makeWorld(send, { query }, 1);
        const document = JSON.parse((await send({ method: "GET", path: "/docs/openapi.json" })).body) as Document;
        const { leaks, attempts } = await attack({
          world,
          send,
          rows,
          document,
          count,
          seed,
          isDrawn: true,
          lanes: LANES,
        });
        expect(leaks).toEqual([]);
        for (const made of Object.values(attempts)) expect(made).toBeGreaterThan(count / 10);
      } finally {
        await pool.close();
      }
    });
  });
}
