// What a search can be asked, and what its results say: modes, filters, pages, places and reasons. The index of words behind it
// has tests of its own (words.test.ts).
import { vectors } from "~encore/clients";
import { beforeEach, describe, expect, test } from "vitest";
import { tenantQuery, withTenant } from "../../db/tenant";
import { toVector } from "../../db/vector";
import { reasonOf } from "../../security/errors";
import { createCaller, type Caller } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { embedDocument } from "../embedding";
import { EmbedderError } from "../providers/embedder";
import { AMONG_MAX, searchStatement } from "../store/search-statement";
import { RecordingEmbedder } from "./recording-embedder";

let caller: Caller;
let embedder: RecordingEmbedder;
beforeEach(() => {
  embedder = new RecordingEmbedder();
  replaceEmbedder(embedder);
  caller = createCaller();
});

type Request = Omit<Parameters<typeof vectors.search>[0], "q">;

const search = (q: string, request: Request = {}, by = caller) => vectors.search({ q, ...request }, by);
const sources = async (q: string, request: Request = {}, by = caller): Promise<string[]> =>
  (await search(q, request, by)).results.map(({ source }) => source);
const reason = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => undefined, reasonOf);

interface Sent {
  title?: string;
  metadata?: Record<string, string | number | boolean>;
}

async function send(source: string, text: string, more: Sent = {}, by = caller): Promise<string> {
  const { id } = await vectors.ingest({ source, text, ...more }, by);
  await embedDocument(by.principal, { documentId: id, batchSize: 64, signal: new AbortController().signal }, embedder);
  return id;
}

describe("the mode", () => {
  test("words asks the embedder for nothing, vector finds what has none of the words, hybrid both", async () => {
    await send("near.md", "Lighthouse keepers write.");
    await send("far.md", "Bread.");
    const asked: string[] = [];
    const { embed } = embedder;
    embedder.embed = (texts, options) => {
      asked.push(...texts);
      return embed.call(embedder, texts, options);
    };
    expect(await search("lighthouse", { mode: "words" })).toMatchObject({
      mode: "words",
      results: [{ source: "near.md", score: 1 }],
    });
    expect(asked).toEqual([]);
    const byVector = await search("lighthouse", { mode: "vector" });
    expect(byVector).toMatchObject({
      mode: "vector",
      results: [{ source: "near.md", score: 1 }, { source: "far.md" }],
    });
    expect(await search("lighthouse")).toMatchObject({ mode: "hybrid", results: [{ score: 1 }, { source: "far.md" }] });
    expect(asked).toEqual(["lighthouse", "lighthouse"]);
  });

  test("vector cannot be answered while the embedder is away; hybrid is answered by words, and says so", async () => {
    await send("near.md", "Lighthouse keepers write.");
    embedder.embed = () => Promise.reject(new EmbedderError("away", true));
    expect(await reason(search("lighthouse", { mode: "vector" }))).toBe("embedder_unavailable");
    expect(await search("lighthouse")).toMatchObject({ mode: "words", results: [{ source: "near.md" }] });
  });
});

test("a result says where it is: document, title, headings, which piece, and the part that fits", async () => {
  const filler = "Nothing of interest stands in this sentence here. ".repeat(15);
  const documentId = await send(
    "guide.md",
    `# Guide\n\n## One\n\nText.\n\n## Two\n\n### Deep\n\n${filler}A zeppelin flies. ${filler}`,
  );
  const [first] = (await search("zeppelin", { mode: "words" })).results;
  expect(first).toMatchObject({ documentId, source: "guide.md", title: "Guide" });
  expect(first?.chunk).toBeGreaterThan(0);
  expect(first?.snippet).toContain("zeppelin");
  expect(first?.snippet.length).toBeLessThan(400);
  expect(first).not.toHaveProperty("explain");
});

test("filters hold for both lists: source, the beginning of one, metadata, and all together", async () => {
  const text = "The harbour has a crane.";
  await send("a/1.md", text, { metadata: { team: "sales", year: 2026 } });
  await send("a/2.md", `${text} Two.`, { metadata: { team: "law" } });
  await send("b/3.md", `${text} Three.`, { metadata: { team: "sales" } });
  await send("b/%.md", text, { metadata: { team: "law", year: 2026 } });
  for (const mode of ["hybrid", "vector", "words"] as const) {
    const found = async (request: Request): Promise<string[]> =>
      (await sources("harbour crane", { mode, ...request })).sort();
    expect(await found({ sourcePrefix: "a/" })).toEqual(["a/1.md", "a/2.md"]);
    expect(await found({ source: "b/3.md" })).toEqual(["b/3.md"]);
    expect(await found({ metadata: '{"team":"sales"}' })).toEqual(["a/1.md", "b/3.md"]);
    expect(await found({ metadata: '{"team":"sales"}', sourcePrefix: "b/" })).toEqual(["b/3.md"]);
    expect(await found({ metadata: '{"year":"2026"}' })).toEqual([]);
    // The same content, shown from the document that the filter lets through.
    expect(await found({ metadata: '{"year":2026,"team":"law"}' })).toEqual(["b/%.md"]);
    expect(await found({ sourcePrefix: "b/%" })).toEqual(["b/%.md"]);
    expect(await found({ metadata: "{}" })).toEqual(await found({}));
  }
  expect(await reason(search("x", { metadata: "{x" }))).toBe("invalid_request");
});

test("a filter that fits more documents than are named holds for both lists as any other", async () => {
  await send("a/1.md", "The harbour has a crane.", { metadata: { team: "sales" } });
  await send("a/2.md", "The harbour has a crane.", { metadata: { team: "law" } });
  await send("b/3.md", "The harbour has a crane. Three.", { metadata: { team: "law" } });
  await tenantQuery(
    caller.principal,
    // Of a splitter that is newer than any, so that no upkeep splits them.
    `insert into vectors.document (id, tenant_id, source, title, text, text_hash, metadata, status, chunk_count, splitter)
     select gen_random_uuid(), $1, 'a/more/' || n, 'More', '', '', '{"team":"law"}', 'ready', 0, 1000000
     from generate_series(1, $2::integer) n`,
    [caller.tenantId, AMONG_MAX],
  );
  for (const mode of ["hybrid", "vector", "words"] as const) {
    const found = async (request: Request): Promise<string[]> =>
      (await sources("harbour crane", { mode, ...request })).sort();
    // Of the equal contents the one that the filter lets through is shown.
    expect(await found({ metadata: '{"team":"law"}' }), mode).toEqual(["a/2.md", "b/3.md"]);
    expect(await found({ sourcePrefix: "a/" }), mode).toEqual(["a/1.md"]);
    expect(await found({ sourcePrefix: "a/", metadata: '{"team":"law"}' }), mode).toEqual(["a/2.md"]);
  }
});

test("of equal contents the one is shown that words found, not another that was excluded or has none of the words", async () => {
  const text = "Terms and conditions apply.";
  await send("first.md", text, { title: "Zeppelin" });
  await send("second.md", text, { title: "Harbour" });
  await send("third.md", text, { title: "Harbour zeppelin" });
  for (const mode of ["hybrid", "words"] as const) {
    expect(await sources("harbour -zeppelin", { mode }), mode).toEqual(["second.md"]);
    expect(await sources("harbour zeppelin", { mode }), mode).toEqual(["third.md"]);
  }
  expect(await sources("harbour -zeppelin", { mode: "vector" })).toEqual(["first.md"]);
});

test("a model that the organisation has no vectors of is looked for nowhere: words answer", async () => {
  await send("near.md", "Lighthouse keepers write.");
  const today = embedder.model;
  embedder = new RecordingEmbedder("a-model-of-tomorrow");
  replaceEmbedder(embedder);
  expect(await sources("lighthouse")).toEqual(["near.md"]);
  expect(await sources("lighthouse", { mode: "vector" })).toEqual([]);
  const [vector = []] = await embedder.embed(["lighthouse"], { priority: "interactive" });
  const graphScans = (model: string): Promise<number> =>
    withTenant(caller.principal, async (tx) => {
      // As of an organisation that is searched by the graph, where reading the table is not cheaper.
      await tx.execute("set local enable_seqscan = off");
      await tx.execute(
        `insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 1, 1000000)
         on conflict (tenant_id) do update set chunk_count = excluded.chunk_count`,
        [caller.tenantId],
      );
      const count = async (): Promise<number> =>
        (
          await tx.query<{ n: number }>(
            "select pg_stat_get_xact_numscans('vectors.embedding_nearest'::regclass)::int as n",
          )
        )[0]?.n ?? -1;
      const before = await count();
      await tx.query("select * from vectors.nearest($1, $2, $3::vector, 10000, 60, null)", [
        caller.tenantId,
        model,
        toVector(vector),
      ]);
      return (await count()) - before;
    });
  expect(await graphScans(today)).toBeGreaterThan(0);
  expect(await graphScans(embedder.model)).toBe(0);
});

test("what is found is looked up by its content, once, whatever the planner knows of the tables", async () => {
  for (let n = 0; n < 8; n++)
    await send(
      `${n}.md`,
      Array.from({ length: 10 }, (_, part) => `## Part ${part}\n\nHarbour ${n * 10 + part}.`).join("\n\n"),
    );
  const [vector = []] = await embedder.embed(["harbour"], { priority: "interactive" });
  const asked = { text: "harbour", model: embedder.model, vector, hasWords: true, filter: {}, limit: 51, after: null };
  const { text, values } = searchStatement(caller.tenantId, asked);
  await withTenant(caller.principal, async (tx) => {
    // Of a table as small as this, reading it whole is cheap, and of a large one not.
    await tx.execute("set local enable_seqscan = off");
    const entries = async (): Promise<number> =>
      (
        await tx.query<{ n: number }>(
          `select sum(pg_stat_get_xact_tuples_returned(c.oid))::int as n from pg_class c
           where c.relnamespace = 'vectors'::regnamespace and c.relname in ('chunk', 'chunk_content', 'chunk_pkey')`,
        )
      )[0]?.n ?? Number.NaN;
    const before = await entries();
    expect(await tx.query(text, values)).toHaveLength(51);
    // Two lists of sixty; a look for each.
    expect((await entries()) - before).toBeLessThanOrEqual(120);
  });
});

test("pages go through all that was found, each once, in the order of one page", async () => {
  await send(
    "many.md",
    Array.from({ length: 25 }, (_, n) => `## Harbour ${n}\n\nThe harbour number ${n} has a crane.`).join("\n\n"),
  );
  const whole = await search("harbour crane", { k: 50 });
  expect(whole.results).toHaveLength(25);
  expect(whole).not.toHaveProperty("next");
  const seen: number[] = [];
  for (let cursor: string | undefined, page = 0; page < 3; page++) {
    const answer = await search("harbour crane", { k: 10, ...(cursor === undefined ? {} : { cursor }) });
    seen.push(...answer.results.map(({ chunk }) => chunk));
    cursor = answer.next;
    expect(cursor === undefined).toBe(page === 2);
  }
  expect(seen).toEqual(whole.results.map(({ chunk }) => chunk));
  const id = whole.results[0]?.documentId ?? "";
  const place = `hybrid_0.5_${id}_1`;
  const others = ["10", "abc", `x${place}`, `${place}_`, "hybrid_0.5_x_1", `${place}.5`];
  for (const cursor of [...others, `hybrid_5_${id}_1`, `hybrid_0.50_${id}_1`])
    expect(await reason(search("harbour", { cursor })), cursor).toBe("invalid_request");
});

test("a page goes on after the last result of the one before, whatever came or went since", async () => {
  for (let n = 0; n < 6; n++) await send(`${n}.md`, `Harbour ${"and more ".repeat(n)}.`);
  const first = await search("harbour", { mode: "words", k: 3 });
  const rest = await sources("harbour", { mode: "words", ...(first.next === undefined ? {} : { cursor: first.next }) });
  await vectors.removeDocument({ id: first.results[2]?.documentId ?? "" }, caller);
  const places = first.results.map(({ source }) => source);
  expect(new Set([...places, ...rest]).size).toBe(6);
  // The place of a result that is gone is still one.
  const now = await sources("harbour", { mode: "words", ...(first.next === undefined ? {} : { cursor: first.next }) });
  expect(now.filter((source) => places.slice(0, 2).includes(source))).toEqual([]);
});

test("a page is by what the one before was by: words go on as words, and meaning is not replaced in the middle", async () => {
  for (let n = 0; n < 6; n++) await send(`${n}.md`, `Harbour ${n}.`);
  const away = () => Promise.reject(new EmbedderError("away", true));
  const { embed } = embedder;
  const whole = await sources("harbour", { mode: "words" });
  embedder.embed = away;
  const byWords = await search("harbour", { k: 2 });
  expect(byWords.mode).toBe("words");
  embedder.embed = embed;
  const more = await search("harbour", { k: 10, cursor: byWords.next ?? "" });
  expect(more.mode).toBe("words");
  expect([...byWords.results, ...more.results].map(({ source }) => source)).toEqual(whole);
  const byBoth = await search("harbour", { k: 2 });
  expect(await reason(search("harbour", { mode: "words", cursor: byBoth.next ?? "" }))).toBe("invalid_request");
  expect(await reason(search("harbour", { mode: "vector", cursor: byWords.next ?? "" }))).toBe("invalid_request");
  embedder.embed = away;
  expect(await reason(search("harbour", { cursor: byBoth.next ?? "" }))).toBe("embedder_unavailable");
});

test("explain says the places in both lists and what they stand by", async () => {
  await send("both.md", "Lighthouse keepers write.");
  await send("near.md", "Bread is baked.");
  const { results } = await search("lighthouse", { explain: true });
  expect(results.map(({ explain }) => explain)).toEqual([
    { vectorRank: 1, distance: expect.any(Number), vectorPlan: "exact", wordsRank: 1, weight: expect.any(Number) },
    { vectorRank: 2, distance: expect.any(Number), vectorPlan: "exact" },
  ]);
  // Of an organisation that is searched by the graph, which finds too few here: then comparing all found them too.
  await tenantQuery(
    caller.principal,
    "insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 2, 1000000)",
    [caller.tenantId],
  );
  const again = await search("lighthouse", { explain: true, mode: "vector" });
  expect(again.results.map(({ explain }) => explain?.vectorPlan)).toEqual(["exact", "exact"]);
});
