// What people see of their documents: the list, its filters and pages, one document, and nothing of another organisation.
import { randomUUID } from "node:crypto";
import { vectors } from "~encore/clients";
import { beforeEach, expect, test } from "vitest";
import { tenantQuery, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { principalFrom, type AuthData } from "../../security/principal";
import { replaceEmbedder } from "../active-embedder";
import { embedDocument, failDocument } from "../embedding";
import { RecordingEmbedder } from "./recording-embedder";

const newCaller = (): AuthData & { tenantId: string } => ({
  userID: randomUUID(),
  tenantId: randomUUID(),
  role: "member",
  sessionId: randomUUID(),
});

let caller: AuthData & { tenantId: string };
const embedder = new RecordingEmbedder();
beforeEach(() => {
  replaceEmbedder(embedder);
  caller = newCaller();
});

const send = async (source: string, text = `# On ${source}\n\n## Part\n\nSome words.`): Promise<string> =>
  (await vectors.ingest({ source, text, metadata: { kept: true } }, { authData: caller })).id;
const list = (request: Parameters<typeof vectors.listDocuments>[0] = {}, as = caller) =>
  vectors.listDocuments(request, { authData: as });
const sourcesOf = ({ documents }: { documents: { source: string }[] }): string[] =>
  documents.map(({ source }) => source);
const reason = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => undefined, reasonOf);
const fail = (id: string): Promise<void> =>
  withTenant(principalFrom(caller), (tx) =>
    failDocument(tx, { tenantId: principalFrom(caller).tenantId, id, version: 1, reason: "attempts_exhausted" }),
  );

test("pages go through all documents, the newest first, each once, also when some come in the same microsecond", async () => {
  for (let n = 0; n < 7; n++) await send(`${n}.md`);
  await tenantQuery(
    principalFrom(caller),
    "update vectors.document set created_at = '2026-01-01T00:00:00.000001Z' where source < '4'",
  );
  const seen: string[] = [];
  for (let cursor: string | undefined, page = 0; page < 4; page++) {
    const answer = await list({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    seen.push(...sourcesOf(answer));
    cursor = answer.next;
    expect(cursor === undefined).toBe(page === 3);
  }
  expect(seen.slice(0, 3)).toEqual(["6.md", "5.md", "4.md"]);
  expect([...seen].sort()).toEqual(["0.md", "1.md", "2.md", "3.md", "4.md", "5.md", "6.md"]);
  expect(sourcesOf(await list())).toEqual(seen);
});

test("a document shows its title, why it failed, and its text and metadata when it is asked for alone", async () => {
  const text = "# Guide\n\n\nWords, as they   were sent.\n";
  const id = await send("guide.md", text);
  await fail(id);
  const listed = {
    id,
    source: "guide.md",
    title: "Guide",
    version: 1,
    status: "failed",
    chunks: 1,
    bytes: text.length,
    error: "every attempt failed",
    createdAt: expect.stringMatching(/^20\d\d-.*Z$/),
    updatedAt: expect.stringMatching(/^20\d\d-.*Z$/),
  };
  expect(await list()).toEqual({ documents: [listed] });
  const shown = { ...listed, metadata: { kept: true } };
  expect(await vectors.getDocument({ id }, { authData: caller })).toEqual({ ...shown, text });
  expect(await vectors.getDocument({ id, text: false }, { authData: caller })).toEqual(shown);
  await vectors.ingest({ source: "guide.md", text: "Other words." }, { authData: caller });
  const again = await vectors.getDocument({ id }, { authData: caller });
  expect(again).toMatchObject({ status: "pending", title: "guide.md", text: "Other words." });
  expect(again).not.toHaveProperty("error");
});

test("the filters find by source and by status, alone and together", async () => {
  const ready = await send("a.md");
  await embedDocument(
    principalFrom(caller),
    { documentId: ready, batchSize: 64, signal: new AbortController().signal },
    embedder,
  );
  await send("b.md", "Pending.");
  await fail(await send("c.md", "Failed."));
  expect(sourcesOf(await list({ source: "b.md" }))).toEqual(["b.md"]);
  expect(sourcesOf(await list({ source: "B.md" }))).toEqual([]);
  expect(sourcesOf(await list({ source: "%.md" }))).toEqual([]);
  for (const [status, source] of [
    ["ready", "a.md"],
    ["pending", "b.md"],
    ["failed", "c.md"],
  ] as const) {
    expect(sourcesOf(await list({ status }))).toEqual([source]);
    expect(sourcesOf(await list({ status, source: "a.md" }))).toEqual(status === "ready" ? ["a.md"] : []);
  }
  expect(sourcesOf(await list({ sourcePrefix: "b." }))).toEqual(["b.md"]);
  expect(sourcesOf(await list({ sourcePrefix: "_." }))).toEqual([]);
  const [result] = (await vectors.search({ q: "some words" }, { authData: caller })).results;
  expect(result).toMatchObject({ source: "a.md", title: "On a.md", heading: "" });
});

test("the list is filtered by what the metadata holds", async () => {
  for (const [source, metadata] of [
    ["a.md", { team: "sales", year: 2026 }],
    ["b.md", { team: "sales", year: 2025 }],
    ["c.md", { team: "law", year: 2026 }],
  ] as const)
    await vectors.ingest({ source, text: "Words.", metadata }, { authData: caller });
  const having = async (metadata: object): Promise<string[]> =>
    sourcesOf(await list({ metadata: JSON.stringify(metadata) }));
  expect(await having({ team: "sales" })).toEqual(["b.md", "a.md"]);
  expect(await having({ year: 2026 })).toEqual(["c.md", "a.md"]);
  expect(await having({ team: "sales", year: 2026 })).toEqual(["a.md"]);
  expect(await having({ year: "2026" })).toEqual([]);
  expect(await having({})).toEqual(["c.md", "b.md", "a.md"]);
});

test("a result names the headings it stands under", async () => {
  const text = "# Guide\n\n## Install\n\n### On a server\n\n".concat(
    "It needs a zeppelin to be carried there. ".repeat(60),
  );
  const documentId = await send("guide.md", text);
  await embedDocument(
    principalFrom(caller),
    { documentId, batchSize: 64, signal: new AbortController().signal },
    embedder,
  );
  const { results } = await vectors.search({ q: "zeppelin" }, { authData: caller });
  expect(results.map(({ heading }) => heading)).toContain("Install > On a server");
  for (const { title } of results) expect(title).toBe("Guide");
});

test.each([
  [{ source: "a\u0000" }],
  [{ sourcePrefix: "a\u0000" }],
  [{ metadata: "{x" }],
  [{ metadata: "[1]" }],
  [{ metadata: '{"a": {"b": 1}}' }],
  [{ cursor: "1_2" }],
  [{ cursor: "" }],
  [{ cursor: `9007199254740993_${randomUUID()}` }],
])("%j is refused by name", async (request) => {
  expect(await reason(list(request))).toBe("invalid_request");
});

test("another organisation lists nothing, also with the first one's cursor", async () => {
  for (let n = 0; n < 3; n++) await send(`${n}.md`);
  const { next } = await list({ limit: 1 });
  const stranger = newCaller();
  expect(await list({}, stranger)).toEqual({ documents: [] });
  expect(await list({ source: "0.md" }, stranger)).toEqual({ documents: [] });
  expect(await list({ cursor: next ?? "" }, stranger)).toEqual({ documents: [] });
});

test("the list, whole or by status, is read off an index in its order", async () => {
  for (const [filter, index] of [
    ["true", "document_recent"],
    ["status = 'failed'", "document_status"],
  ] as const) {
    const plan = await withTenant(principalFrom(caller), async (tx) => {
      // With few rows all ways cost the same: what is asked is whether there is one without sorting.
      for (const way of ["seqscan", "bitmapscan", "sort"]) await tx.execute(`set local enable_${way} = off`);
      return tx.query(
        `explain select id from vectors.document where tenant_id = '${caller.tenantId}' and ${filter} order by created_at desc, id desc limit 51`,
      );
    });
    expect(JSON.stringify(plan), filter).toContain(index);
    expect(JSON.stringify(plan), filter).not.toContain("Sort");
  }
});
