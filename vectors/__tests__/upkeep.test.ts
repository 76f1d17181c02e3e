// The upkeep of embeddings: it reads what was released and nothing else, keeps what is needed, and keeps up.
import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { systemQuery, tenantQuery, withSystem } from "../../db/tenant";
import { principalFrom, type Principal } from "../../security/principal";
import { deleteDocument } from "../deletion";
import { ingest } from "../ingestion";
import { embedJob } from "../jobs";
import { REQUEST_MS_MAX } from "../providers/openai-embedder";
import { failLostDocuments, purgeOrphans } from "../upkeep";

const TWO_DAYS_LATER = new Date(Date.now() + 2 * 86_400_000);

let principal: Principal;
beforeEach(async () => {
  principal = principalFrom({ userID: randomUUID(), tenantId: randomUUID(), role: "member", sessionId: randomUUID() });
  await purgeOrphans(TWO_DAYS_LATER);
});

const send = async (source: string, ...parts: string[]): Promise<string> =>
  (await ingest(principal, { source, text: parts.map((part) => `## ${part}\n\nText of ${part}.`).join("\n\n") }, "m"))
    .id;
const countOf = async (table: string): Promise<number> =>
  (await tenantQuery<{ n: number }>(principal, `select count(*)::int as n from vectors.${table}`))[0]?.n ?? -1;
const held = async (): Promise<[embeddings: number, candidates: number]> => [
  await countOf("embedding"),
  await countOf("orphan_candidate"),
];

test("the job that embeds has more time than a server that hangs at each try", () => {
  expect(embedJob.timeoutMs).toBeGreaterThan(REQUEST_MS_MAX + 60_000);
});

test("an edit releases only what the new version lacks; a day later it goes, and not before", async () => {
  await send("a.md", "One", "Two", "Three");
  await send("a.md", "One", "Two", "Four");
  expect(await held()).toEqual([4, 1]);
  expect(await purgeOrphans(new Date())).toBe(0);
  expect(await purgeOrphans(TWO_DAYS_LATER)).toBe(1);
  expect(await held()).toEqual([3, 0]);
});

test("what two documents shared stays while one has it, and goes after both, in whatever order they went", async () => {
  const [a, b] = [await send("a.md", "One", "Two"), await send("b.md", "One", "Two")];
  await deleteDocument(principal, a);
  expect(await purgeOrphans(TWO_DAYS_LATER)).toBe(2);
  expect(await held()).toEqual([2, 0]);
  await deleteDocument(principal, b);
  expect(await purgeOrphans(TWO_DAYS_LATER)).toBe(2);
  expect(await held()).toEqual([0, 0]);
});

test("a text sent again after its deletion keeps its embeddings", async () => {
  await deleteDocument(principal, await send("a.md", "One"));
  await send("a.md", "One");
  expect(await purgeOrphans(TWO_DAYS_LATER)).toBe(1);
  expect(await held()).toEqual([1, 0]);
  await send("a.md", "Two");
  expect(await held()).toEqual([2, 1]);
});

test("a candidate without an embedding does not stay", async () => {
  await tenantQuery(
    principal,
    "insert into vectors.orphan_candidate (tenant_id, content_hash, released_at) values ($1, $2, '2026-01-01')",
    [principal.tenantId, Buffer.alloc(32)],
  );
  expect(await purgeOrphans(new Date())).toBe(1);
  expect(await held()).toEqual([0, 0]);
});

test("documents whose job is lost are failed, in batches, and those that a job may still be at are not", async () => {
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await send(`${n}.md`, `Part ${n}`));
  // In a year in which no other suite's documents are pending.
  const now = new Date("2020-06-01T12:00:00Z");
  const age = (id: string | undefined, hours: number): Promise<unknown> =>
    tenantQuery(principal, "update vectors.document set updated_at = $2 where id = $1", [
      id,
      new Date(now.getTime() - hours * 3_600_000),
    ]);
  for (const id of ids) await age(id, 5);
  await age(ids[3], 3);
  await tenantQuery(principal, "update vectors.document set status = 'ready' where id = $1", [ids[4]]);
  const budget = { statementTimeoutMs: 30_000, totalMs: 60_000, batchMax: 2 };
  expect(await failLostDocuments(now, budget)).toBe(3);
  expect(await failLostDocuments(now, budget)).toBe(0);
  const states = await tenantQuery(principal, "select status, reason from vectors.document order by source");
  const failed = { status: "failed", reason: "job_lost" };
  const others = [
    { status: "pending", reason: null },
    { status: "ready", reason: null },
  ];
  expect(states).toEqual([failed, failed, failed, ...others]);
  const told = await systemQuery<{ id: string }>(
    "test",
    "select aggregate_id as id from events.outbox where type = 'vectors.document.failed' and tenant_id = $1 order by 1",
    [principal.tenantId],
  );
  expect(told.map(({ id }) => id)).toEqual(ids.slice(0, 3).sort());
  // Sent again it is tried anew, as any that failed.
  await send("0.md", "Part 0");
  expect(await tenantQuery(principal, "select status, version from vectors.document where id = $1", [ids[0]])).toEqual([
    { status: "pending", version: 2 },
  ]);
  const plan = await withSystem("test", async (tx) => {
    await tx.query("select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)");
    return tx.query(
      "explain select from vectors.document where status = 'pending' and updated_at < now() order by updated_at, id limit 100 for update skip locked",
    );
  });
  expect(JSON.stringify(plan)).toContain("document_pending");
});

/** So many rows at once take their time on a busy machine. */
const patient = { statementTimeoutMs: 60_000 };

// 600 contents released an hour are a lot (a hundred edited documents); here ten times that, beside contents in use.
test("six thousand released contents go in one run, and it reads none of the others", async () => {
  await systemQuery(
    "test",
    `with made as (
       insert into vectors.embedding (tenant_id, content_hash)
       select $1, sha256(n::text::bytea) from generate_series(1, 26000) n returning tenant_id, content_hash
     )
     insert into vectors.orphan_candidate (tenant_id, content_hash, released_at)
     select $1, sha256(n::text::bytea), '2026-01-01' from generate_series(20001, 26000) n`,
    [principal.tenantId],
    patient,
  );
  const budget = { statementTimeoutMs: 60_000, totalMs: 60_000, batchMax: 500 };
  expect(await purgeOrphans(new Date(), budget)).toBe(6_000);
  expect(await held()).toEqual([20_000, 0]);
  const plan = await withSystem("test", async (tx) => {
    // The table is empty by now, and what the planner thinks of an empty table is its affair: asked is whether the index can do it.
    await tx.query("select set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)");
    return tx.query(
      "explain select from vectors.orphan_candidate where released_at < now() order by released_at limit 500 for update skip locked",
    );
  });
  expect(JSON.stringify(plan)).toContain("orphan_candidate_released");
  await systemQuery("test", "delete from vectors.embedding where tenant_id = $1", [principal.tenantId], patient);
});

test("a budget that is used up leaves the rest to the next run", async () => {
  await deleteDocument(principal, await send("a.md", "One", "Two", "Three"));
  const budget = { statementTimeoutMs: 5_000, totalMs: 0, batchMax: 2 };
  expect(await purgeOrphans(TWO_DAYS_LATER, budget)).toBe(2);
  expect(await held()).toEqual([1, 1]);
  expect(await purgeOrphans(TWO_DAYS_LATER, budget)).toBe(1);
});
