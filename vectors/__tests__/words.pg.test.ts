// The index of words under what only a real server has: two writers at once, and one that takes back what it wrote.
import { vectors } from "~encore/clients";
import { afterAll, beforeEach, expect, test } from "vitest";
import { ownerPool } from "../../db/__tests__/owner";
import { tenantQuery, withTenant } from "../../db/tenant";
import { createCaller, type Caller } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { embedDocument } from "../embedding";
import { RecordingEmbedder } from "./recording-embedder";

const embedder = new RecordingEmbedder();
const putBack = replaceEmbedder(embedder);
afterAll(putBack);

let caller: Caller;
beforeEach(() => {
  caller = createCaller();
});

const textOf = (n: number): string =>
  Array.from({ length: 6 }, (_, part) => `## Part ${part}\n\nVersion${n} of part${part * n}.`).join("\n\n");

async function send(source: string, text: string): Promise<string> {
  const { id } = await vectors.ingest({ source, text }, caller);
  return id;
}

const ROW = "concat_ws(' ', document_id, ordinal, encode(content_hash, 'hex')) as row";
const words = async (): Promise<string[]> =>
  (
    await ownerPool().query<{ row: string }>(`select ${ROW} from vectors.word where of_tenant = $1 order by 1`, [
      caller.tenantId,
    ])
  ).rows.map(({ row }) => row);
const chunks = async (): Promise<string[]> =>
  (await tenantQuery<{ row: string }>(caller.principal, `select ${ROW} from vectors.chunk order by 1`)).map(
    ({ row }) => row,
  );
const found = async (q: string): Promise<string[]> =>
  (await vectors.search({ q, mode: "words" }, caller)).results.map(({ source }) => source);

test("two writers of one document at once, and of others that share its texts, leave a row of words for each chunk", async () => {
  for (let round = 0; round < 5; round++) {
    const versions = Array.from({ length: 4 }, (_, n) => round * 10 + n);
    await Promise.all([
      ...versions.map((n) => send("same.md", textOf(n))),
      ...versions.map((n) => send(`${n % 2}.md`, textOf(n))),
    ]);
    const held = await words();
    expect(held.length).toBeGreaterThan(0);
    expect(held).toEqual(await chunks());
  }
});

test("a deletion beside a change of title leaves no words of either", async () => {
  for (let round = 0; round < 5; round++) {
    const id = await send(`${round}.md`, textOf(round));
    await Promise.allSettled([
      vectors.updateDocument({ id, title: "Zeppelin" }, caller),
      vectors.removeDocument({ id }, caller),
    ]);
    expect(await words()).toEqual(await chunks());
    expect(await found("zeppelin")).toEqual([]);
  }
});

test("what is taken back leaves the words as they were", async () => {
  const id = await send("a.md", "Lighthouse keepers write.");
  await embedDocument(
    caller.principal,
    { documentId: id, batchSize: 64, signal: new AbortController().signal },
    embedder,
  );
  const before = await words();
  for (const change of [
    "update vectors.chunk set title = 'Zeppelin' where document_id = $1",
    "delete from vectors.chunk where document_id = $1",
    `insert into vectors.chunk (tenant_id, document_id, ordinal, content_hash, title, heading, content)
     select tenant_id, document_id, 99, content_hash, 'Zeppelin', '', 'Zeppelin.' from vectors.chunk where document_id = $1`,
  ]) {
    const taken = withTenant(caller.principal, async (tx) => {
      expect(await tx.execute(change, [id])).toBe(1);
      throw new Error("taken back");
    });
    await expect(taken).rejects.toThrow("taken back");
    expect(await words(), change).toEqual(before);
  }
  expect(await found("zeppelin")).toEqual([]);
  expect(await found("lighthouse")).toEqual(["a.md"]);
});
