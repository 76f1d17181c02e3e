// How the nearest contents of an organisation are found: all compared while it is small, through the graph when it is
// large, with the same results.
import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { ownerPool } from "../../db/__tests__/owner";
import { withTenant } from "../../db/tenant";
import { toVector } from "../../db/vector";
import { principalFrom } from "../../security/principal";
import { embedDocument } from "../embedding";
import { ingest } from "../ingestion";
import { EXACT_UP_TO } from "../store/search";
import { RecordingEmbedder } from "./recording-embedder";

const embedder = new RecordingEmbedder();
const principal = principalFrom({
  userID: randomUUID(),
  tenantId: randomUUID(),
  role: "member",
  sessionId: randomUUID(),
});

let documentId: string;
beforeAll(async () => {
  const text = Array.from(
    { length: 40 },
    (_, index) => `## Part ${index}\n\nWord${index} word${index + 1} word${index + 2} in the text.`,
  ).join("\n\n");
  ({ id: documentId } = await ingest(principal, { source: "many.md", text }, embedder.model));
  await embedDocument(principal, { documentId, batchSize: 64, signal: new AbortController().signal }, embedder);
});

interface Others {
  exactUpTo?: number;
  prefix?: string | null;
  holding?: Record<string, unknown> | null;
}

/** What is nearest for an organisation said to hold so many chunks, and how often the graph was read for it. */
async function nearest(
  chunks: number,
  candidates = 40,
  among: string[] | null = null,
  { exactUpTo = EXACT_UP_TO, prefix = null, holding = null }: Others = {},
): Promise<{ hashes: string[]; graphScans: number }> {
  const [vector = []] = await embedder.embed(["word17 word18"], { priority: "interactive" });
  return withTenant(principal, async (tx) => {
    // With so few rows reading the table is cheapest; forbidden, what remains is what the statement allows.
    await tx.execute("set local enable_seqscan = off");
    await tx.execute(
      `insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 1, $2)
       on conflict (tenant_id) do update set chunk_count = excluded.chunk_count`,
      [principal.tenantId, chunks],
    );
    const scans = async (): Promise<number> => {
      const [row] = await tx.query<{ n: number }>(
        "select pg_stat_get_xact_numscans('vectors.embedding_nearest'::regclass)::int as n",
      );
      return row?.n ?? -1;
    };
    const before = await scans();
    const rows = await tx.query<{ hash: string }>(
      "select encode(content_hash, 'hex') as hash from vectors.nearest($1, $2, $3::vector, $4, $5, $6, $7, $8)",
      [principal.tenantId, embedder.model, toVector(vector), exactUpTo, candidates, among, prefix, holding],
    );
    return { hashes: rows.map(({ hash }) => hash), graphScans: (await scans()) - before };
  });
}

test("a large organisation is searched through the graph, a small one by comparing all, with the same results", async () => {
  const exact = await nearest(EXACT_UP_TO);
  const graph = await nearest(EXACT_UP_TO + 1);
  expect(exact.graphScans).toBe(0);
  expect(graph.graphScans).toBeGreaterThan(0);
  expect(exact.hashes).toHaveLength(40);
  // Where others' vectors are many, the graph finds some of its own too few: then all are compared behind it.
  expect(new Set(graph.hashes)).toEqual(new Set(exact.hashes));
});

test("where the graph finds too few, all are compared; and so are those of a few documents", async () => {
  const all = await nearest(EXACT_UP_TO + 1, 60);
  expect(all.graphScans).toBeGreaterThan(0);
  expect(new Set(all.hashes).size).toBe(40);
  const few = await nearest(EXACT_UP_TO + 1, 40, [documentId]);
  expect(few.graphScans).toBe(0);
  expect(few.hashes).toEqual((await nearest(EXACT_UP_TO)).hashes);
  expect((await nearest(EXACT_UP_TO + 1, 40, [principal.tenantId])).hashes).toEqual([]);
});

/** While the planner takes vectors.embedding, of all organisations, for so many rows. */
async function whileAllAre<T>(rows: number, run: () => Promise<T>): Promise<T> {
  await ownerPool().query("update pg_class set reltuples = $1 where oid = 'vectors.embedding'::regclass", [rows]);
  try {
    return await run();
  } finally {
    await ownerPool().query("analyze vectors.embedding");
  }
}

test("an organisation whose share is too small for the graph is compared whole, and a filter goes through the graph", async ({
  skip,
}) => {
  const { rows } = await ownerPool().query<{ is: boolean }>(
    "select rolsuper as is from pg_roles where rolname = current_user",
  );
  skip(rows[0]?.is !== true, "only a superuser says how many rows a table has");
  const few = { exactUpTo: 5 };
  const { hashes: all } = await nearest(EXACT_UP_TO);
  const small = await whileAllAre(1_000_000, () => nearest(40, 5, null, few));
  expect(small).toEqual({ hashes: all.slice(0, 5), graphScans: 0 });
  const filters: [among: string[] | null, others: Others][] = [
    [null, few],
    [[documentId], few],
    [null, { ...few, prefix: "many", holding: {} }],
  ];
  for (const [among, others] of filters) {
    // The graph is of all organisations, and five of one may not be its very nearest.
    const found = await whileAllAre(1, () => nearest(40, 5, among, others));
    expect(found.graphScans).toBeGreaterThan(0);
    expect(new Set(found.hashes).size).toBe(5);
    expect(all).toEqual(expect.arrayContaining(found.hashes));
  }
  const none = await whileAllAre(1, () => nearest(40, 5, null, { ...few, prefix: "few" }));
  expect(none.graphScans).toBeGreaterThan(0);
  expect(none.hashes).toEqual([]);
});
