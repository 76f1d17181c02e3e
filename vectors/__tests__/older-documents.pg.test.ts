// What the migrations make of documents that were there before them: a database is brought to where it was, filled, and migrated
// on. Elsewhere every migration meets empty tables.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeOwnDatabase, type OwnDatabase } from "../../runtime/__tests__/whole-app/support/own-database";

const FOLDER = join(import.meta.dirname, "../../migrations");
const TENANT = "00000000-0000-7000-8000-000000000001";
const TEXT = "Tee für zwei, mit Zeppelin.";

let database: OwnDatabase;
beforeAll(async () => {
  database = await makeOwnDatabase("older_documents");
});
afterAll(() => database?.drop());

const numberOf = (file: string): number => Number.parseInt(file, 10);

async function migrate(above: number, upTo: number): Promise<void> {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".up.sql"));
  for (const file of files.sort((a, b) => numberOf(a) - numberOf(b)))
    if (numberOf(file) > above && numberOf(file) <= upTo)
      await database.client.query(readFileSync(join(FOLDER, file), "utf8"));
}

const rows = async (sql: string): Promise<Record<string, unknown>[]> =>
  (await database.client.query<Record<string, unknown>>(sql)).rows;

test("documents from before migrations 54 and 57 have their bytes counted and are found by their words", async () => {
  await migrate(0, 53);
  await database.client.query(`
    insert into vectors.embedding (tenant_id, content_hash)
      select '${TENANT}', sha256(n::text::bytea) from generate_series(1, 20) n;
    insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count, counted_chunks)
      select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${TENANT}', n || '.md', 'A', '${TEXT}', '', 'ready', 10,
             case when n = 1 then 10 end
      from generate_series(1, 2) n;
    insert into vectors.chunk (tenant_id, document_id, ordinal, content_hash, title, heading, content)
      select '${TENANT}', ('00000000-0000-7000-8000-' || lpad((1 + n / 10)::text, 12, '0'))::uuid, n % 10,
             sha256((n + 1)::text::bytea), 'A', '', 'A zeppelin, number ' || n
      from generate_series(0, 19) n;
    insert into vectors.usage (tenant_id, document_count, chunk_count) values ('${TENANT}', 1, 10)`);
  await migrate(53, Number.POSITIVE_INFINITY);
  const chunks = "select tenant_id, document_id, ordinal, content_hash from vectors.chunk order by 2, 3";
  const words = "select of_tenant as tenant_id, document_id, ordinal, content_hash from vectors.word order by 2, 3";
  expect(await rows(words)).toEqual(await rows(chunks));
  expect(await rows("select count(*)::int as n from vectors.word where search @@ 'zeppelin'")).toEqual([{ n: 20 }]);
  // Only what was counted before is counted by its bytes.
  const bytes = Buffer.byteLength(TEXT);
  expect(await rows("select counted_bytes from vectors.document order by source")).toEqual([
    { counted_bytes: bytes },
    { counted_bytes: null },
  ]);
  expect(await rows("select byte_count::int from vectors.usage")).toEqual([{ byte_count: bytes }]);
});
