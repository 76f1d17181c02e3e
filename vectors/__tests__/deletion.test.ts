// Deleting a document: what goes, what stays for others, and what a job or another sender does at that moment.
import { randomUUID } from "node:crypto";
import { vectors } from "~encore/clients";
import { beforeEach, expect, test } from "vitest";
import { systemQuery, tenantQuery, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { principalFrom, type AuthData, type Principal } from "../../security/principal";
import { replaceEmbedder } from "../active-embedder";
import { embedDocument, failDocument } from "../embedding";
import { usageCountDocument } from "../store/usage";
import { RecordingEmbedder } from "./recording-embedder";

let embedder: RecordingEmbedder;
let caller: AuthData & { tenantId: string };
let principal: Principal;
beforeEach(() => {
  embedder = new RecordingEmbedder();
  replaceEmbedder(embedder);
  caller = { userID: randomUUID(), tenantId: randomUUID(), role: "member", sessionId: randomUUID() };
  principal = principalFrom(caller);
});

const TEXT = "## One\n\nThe word is zanzibar.\n\n## Two\n\nThe word is quartz.";
const send = (source: string, text = TEXT): Promise<{ id: string; status: string }> =>
  vectors.ingest({ source, text }, { authData: caller });
const remove = (id: string, as = caller): Promise<void> => vectors.removeDocument({ id }, { authData: as });
const embed = (documentId: string): Promise<void> =>
  embedDocument(principal, { documentId, batchSize: 64, signal: new AbortController().signal }, embedder);
const count = (documentId: string): Promise<void> =>
  withTenant(principal, (tx) => usageCountDocument(tx, caller.tenantId, documentId));
const held = (): Promise<unknown[]> => tenantQuery(principal, "select document_count, chunk_count from vectors.usage");
const found = async (q: string): Promise<string[]> => [
  ...new Set((await vectors.search({ q }, { authData: caller })).results.map(({ source }) => source)),
];
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function sendReady(source: string, text = TEXT): Promise<string> {
  const { id } = await send(source, text);
  await embed(id);
  await count(id);
  return id;
}

test("a deleted document is in no list, no search and no count, and its event says so", async () => {
  const id = await sendReady("a.md");
  expect(await found("zanzibar")).toEqual(["a.md"]);
  await remove(id);
  expect(await found("zanzibar")).toEqual([]);
  expect((await vectors.listDocuments({}, { authData: caller })).documents).toEqual([]);
  expect(reasonOf(await failureOf(vectors.getDocument({ id }, { authData: caller })))).toBe("document_not_found");
  expect(await held()).toEqual([{ document_count: 0, chunk_count: 0 }]);
  await count(id);
  expect(await held()).toEqual([{ document_count: 0, chunk_count: 0 }]);
  expect(await tenantQuery(principal, "select action, actor, target_id, personal from audit.entry")).toEqual([
    {
      action: "vectors.document.deleted",
      actor: `user:${caller.userID}`,
      target_id: id,
      personal: { source: "a.md" },
    },
  ]);
  expect(
    await systemQuery(
      "test",
      "select payload from events.outbox where aggregate_id = $1 and type = 'vectors.document.deleted'",
      [id],
    ),
  ).toEqual([{ payload: { documentId: id, source: "a.md", documentVersion: 1 } }]);
});

test("what another document shares with a deleted one is still found, and not embedded again", async () => {
  const id = await sendReady("a.md");
  expect((await send("b.md")).status).toBe("ready");
  const asked = embedder.texts.length;
  await remove(id);
  expect(await found("zanzibar")).toEqual(["b.md"]);
  expect((await send("b.md")).status).toBe("ready");
  expect(embedder.texts).toHaveLength(asked);
});

test("the same text sent after a deletion is a new document, ready at once, counted once", async () => {
  const id = await sendReady("a.md");
  await remove(id);
  const again = await send("a.md");
  expect(again).toEqual({ id: expect.not.stringContaining(id), status: "ready" });
  await count(again.id);
  expect(await held()).toEqual([{ document_count: 1, chunk_count: 2 }]);
  expect(await found("quartz")).toEqual(["a.md"]);
});

test("a deletion while its job is with the embedder leaves the job nothing to do, and the text sent again is found", async () => {
  const { id } = await send("a.md");
  embedder.before = () => remove(id);
  await embed(id);
  embedder.before = () => undefined;
  // The work is not lost: what came back is kept for whoever sends the text again.
  expect(await send("a.md")).toMatchObject({ status: "ready" });
  expect(await found("zanzibar")).toEqual(["a.md"]);
  expect(new Set(embedder.texts).size).toBe(embedder.texts.length);
});

test("a deletion and the same text again while the job is with the embedder: the new document becomes ready", async () => {
  const { id } = await send("a.md");
  let next: { id: string; status: string } | undefined;
  embedder.before = async () => {
    if (next !== undefined) return;
    await remove(id);
    next = await send("a.md");
  };
  await embed(id);
  expect(next?.status).toBe("pending");
  await embed(next?.id ?? "");
  expect(await found("zanzibar")).toEqual(["a.md"]);
  expect(new Set(embedder.texts).size).toBe(embedder.texts.length);
});

test("a job that gives up on a deleted document changes nothing and says nothing", async () => {
  const { id } = await send("a.md");
  await remove(id);
  await withTenant(principal, (tx) =>
    failDocument(tx, { tenantId: principal.tenantId, id, version: 1, reason: "attempts_exhausted" }),
  );
  await embed(id);
  expect(embedder.texts).toEqual([]);
  expect(
    await systemQuery(
      "test",
      "select type from events.outbox where aggregate_id = $1 and destination = 'event' order by id",
      [id],
    ),
  ).toEqual([{ type: "vectors.document.ingested" }, { type: "vectors.document.deleted" }]);
});

test("a foreign, a missing and a deleted document answer the same, a viewer may not delete, and nothing is gone", async () => {
  const id = await sendReady("a.md");
  const stranger: typeof caller = { ...caller, tenantId: randomUUID(), userID: randomUUID(), role: "owner" };
  const deleted = (await send("b.md", "Gone.")).id;
  await remove(deleted);
  const shown = async (wrong: string, as = caller): Promise<unknown> =>
    JSON.parse(
      JSON.stringify(await failureOf(remove(wrong, as)), (key, value: unknown) => (key === "requestId" ? "…" : value)),
    );
  const missing = await shown(randomUUID());
  expect(missing).toMatchObject({ details: { reason: "document_not_found" } });
  expect(await shown(id, stranger)).toEqual(missing);
  expect(await shown(deleted)).toEqual(missing);
  expect(await shown("' or true --")).toEqual(missing);
  expect(reasonOf(await failureOf(remove(id, { ...caller, role: "viewer" })))).toBe("permission_denied");
  expect(await found("zanzibar")).toEqual(["a.md"]);
});
