// What the benchmark of search asks about: organisations of very different shares whose vectors stand in clusters, as those of
// texts do, and whose words come as often as words do (the n-th most common word 1/n as often as the first).
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { toVector } from "../../db/vector";
import type { Random } from "../../runtime/__tests__/whole-app/support/fuzz/random";
import type { TenantId } from "../../security/principal";
import { EMBEDDING_DIMENSIONS } from "../../vectors/providers/embedder";

export const MODEL = "clusters";
/** Of all chunks, by organisation; the first has words too. */
export const SHARES = [0.6, 0.2, 0.1, 0.05, 0.03, 0.01, 0.005, 0.001, 0.0001];
const CLUSTERS = 200;
const VOCABULARY = 50_000;
/** So many of the most common words are asked for by nobody: they are what a language has as stop words. */
const STOP_WORDS = 100;
const WORDS_PER_CHUNK = 110;
const CHUNKS_PER_DOCUMENT = 20;
const BATCH = 500;

export const tenantAt = (n: number): TenantId => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}` as TenantId;

export interface Corpus {
  tenants: { share: number; held: number }[];
  /** Vectors near to some that the organisation has. */
  questionsFor: (tenant: number, count: number) => number[][];
  /** One to four words. */
  wordQuestions: (count: number) => string[];
  /** Twelve to forty-eight words, which no chunk has all of: any of them will do. */
  unmetQuestions: (count: number) => string[];
}

interface Filling {
  chunks: number;
  random: Random;
  say: (text: string) => void;
}

/** Migrates the database and fills it. The graph is built when all is there, as it comes out much sooner. */
export async function fill(owner: pg.Pool, { chunks, random, say }: Filling): Promise<Corpus> {
  await migrate(owner);
  const graph = await owner.query<{ sql: string }>(
    "select pg_get_indexdef('vectors.embedding_nearest'::regclass) as sql",
  );
  await owner.query("drop index vectors.embedding_nearest");
  const makeVector = vectorsIn(random);
  const wordFrom = (first: number): string =>
    `w${Math.floor(first * Math.exp(random.next() * Math.log(VOCABULARY / first)))}`;
  const makeWord = (): string => wordFrom(1);
  const tenants = SHARES.map((share) => ({
    share,
    held: Math.max(1, Math.round((chunks * share) / (SHARES[0] ?? 1))),
  }));
  for (const [tenant, { held }] of tenants.entries()) {
    for (let from = 0; from < held; from += BATCH) {
      const numbers = Array.from({ length: Math.min(BATCH, held - from) }, (_, n) => from + n);
      await insertEmbeddings(owner, tenant, numbers, makeVector);
      if (tenant === 0) await insertChunks(owner, numbers, makeWord);
      if (from % (BATCH * 20) === 0) say(`organisation ${tenant}: ${from} of ${held} chunks`);
    }
    await owner.query("insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 0, $2)", [
      tenantAt(tenant),
      held,
    ]);
  }
  say("building the graph");
  const startedAt = performance.now();
  const client = await owner.connect();
  await client.query("set maintenance_work_mem = '1GB'");
  await client.query(graph.rows[0]?.sql ?? "");
  client.release();
  await owner.query("vacuum analyze");
  say(`built in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  const questions = (count: number, wordsOf: (n: number) => number): string[] =>
    Array.from({ length: count }, (_, n) => Array.from({ length: wordsOf(n) }, () => wordFrom(STOP_WORDS)).join(" "));
  return {
    tenants,
    questionsFor: (_tenant, count) => Array.from({ length: count }, makeVector),
    wordQuestions: (count) => questions(count, (n) => 1 + (n % 4)),
    unmetQuestions: (count) => questions(count, (n) => 12 * (1 + (n % 4))),
  };
}

async function migrate(owner: pg.Pool): Promise<void> {
  const folder = join(import.meta.dirname, "../../migrations");
  const files = readdirSync(folder).filter((name) => name.endsWith(".up.sql"));
  for (const file of files.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)))
    await owner.query(readFileSync(join(folder, file), "utf8"));
}

/** Directions around some centres; one in all organisations, so that they stand in each other's way in the graph. */
function vectorsIn(random: Random): () => number[] {
  const around = (centre: readonly number[], spread: number): number[] => {
    const moved = centre.map((value) => value + spread * (random.next() + random.next() + random.next() - 1.5));
    const length = Math.hypot(...moved);
    return moved.map((value) => value / length);
  };
  const origin = new Array<number>(EMBEDDING_DIMENSIONS).fill(0);
  const centres = Array.from({ length: CLUSTERS }, () => around(origin, 1));
  return () => around(centres[Math.floor(random.next() * CLUSTERS)] ?? origin, 0.05);
}

const hashOf = (tenant: number, n: number): Buffer => createHash("sha256").update(`${tenant} ${n}`).digest();

async function insertEmbeddings(
  owner: pg.Pool,
  tenant: number,
  numbers: number[],
  makeVector: () => number[],
): Promise<void> {
  await owner.query(
    `insert into vectors.embedding (tenant_id, content_hash, model, embedding)
     select $1, h, $2, v::vector from unnest($3::bytea[], $4::text[]) as e(h, v)`,
    [tenantAt(tenant), MODEL, numbers.map((n) => hashOf(tenant, n)), numbers.map(() => toVector(makeVector()))],
  );
}

async function insertChunks(owner: pg.Pool, numbers: number[], makeWord: () => string): Promise<void> {
  const documents = numbers.filter((n) => n % CHUNKS_PER_DOCUMENT === 0);
  const idOf = (n: number): string => tenantAt(1_000_000 + Math.floor(n / CHUNKS_PER_DOCUMENT));
  await owner.query(
    `insert into vectors.document (id, tenant_id, source, title, text, text_hash, status, chunk_count)
     select d.id, $1, d.id::text, 'A document', '', '', 'ready', $3 from unnest($2::uuid[]) as d(id)`,
    [tenantAt(0), documents.map(idOf), CHUNKS_PER_DOCUMENT],
  );
  const textOf = (count: number): string => Array.from({ length: count }, makeWord).join(" ");
  await owner.query(
    `insert into vectors.chunk (tenant_id, document_id, ordinal, content_hash, title, heading, content)
     select $1, c.id, c.ordinal, c.hash, c.title, c.heading, c.content
     from unnest($2::uuid[], $3::int[], $4::bytea[], $5::text[], $6::text[], $7::text[]) as c(id, ordinal, hash, title, heading, content)`,
    [
      tenantAt(0),
      numbers.map(idOf),
      numbers.map((n) => n % CHUNKS_PER_DOCUMENT),
      numbers.map((n) => hashOf(0, n)),
      numbers.map(() => textOf(2)),
      numbers.map(() => textOf(3)),
      numbers.map(() => textOf(WORDS_PER_CHUNK)),
    ],
  );
}
