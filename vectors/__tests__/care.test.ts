// What people do with documents that are there: describe them otherwise, send many at once, wait for one, look how much it
// all is; and what the app does with those that an older splitter split.
import { vectors } from "~encore/clients";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ownerPool } from "../../db/__tests__/owner";
import { newId } from "../../db/ids";
import { systemQuery, tenantQuery, withTenant } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { tenantIdFrom } from "../../security/principal";
import { createCaller, type Caller } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { ingestBatch } from "../batch";
import { SPLITTER_VERSION } from "../chunker";
import { embedDocument, failDocument } from "../embedding";
import { enqueueResplits, keepAsSplit, resplitDocument } from "../resplitting";
import { beginWait, LOOK_MS, waitUntilSettled, WAITS_MAX } from "../settled-wait";
import { splitJob } from "../split-job";
import { usageCountDocument } from "../store/usage";
import { RecordingEmbedder } from "./recording-embedder";

let caller: Caller;
let embedder: RecordingEmbedder;
beforeEach(() => {
  embedder = new RecordingEmbedder();
  replaceEmbedder(embedder);
  caller = createCaller();
});

const TEXT = "# Tea\n\n## Leaves\n\nLeaves are dried.\n\n## Water\n\nWater is boiled.";
const send = async (source: string, text = TEXT): Promise<string> =>
  (await vectors.ingest({ source, text }, caller)).id;
const embed = (documentId: string): Promise<void> =>
  embedDocument(caller.principal, { documentId, batchSize: 64, signal: new AbortController().signal }, embedder);
const get = (id: string) => vectors.getDocument({ id, text: false }, caller);
const reason = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => undefined, reasonOf);
const jobsOf = async (job: string, documentId: string): Promise<number> =>
  (
    await systemQuery<{ n: number }>(
      "test",
      "select count(*)::int as n from events.outbox where type = $1 and payload->>'documentId' = $2",
      [job, documentId],
    )
  )[0]?.n ?? -1;

describe("a title and metadata", () => {
  test("are changed without embedding anything; words of the new title find the document, those of the old do not", async () => {
    const id = await send("tea.md");
    await embed(id);
    const [asked, before] = [embedder.texts.length, await get(id)];
    const changed = await vectors.updateDocument({ id, title: "Zeppelins", metadata: { kind: "ship" } }, caller);
    expect(changed).toMatchObject({ title: "Zeppelins", metadata: { kind: "ship" }, status: "ready", version: 1 });
    expect(await get(id)).toEqual(changed);
    expect(changed.updatedAt >= before.updatedAt).toBe(true);
    expect(embedder.texts).toHaveLength(asked);
    expect(await jobsOf("vectors:embed", id)).toBe(1);
    const { results } = await vectors.search({ q: "zeppelins" }, caller);
    expect(results.map(({ title }) => title)).toContain("Zeppelins");
    // The same text sent again is unchanged, and its title stays what it was made.
    expect(await vectors.ingest({ source: "tea.md", text: TEXT }, caller)).toEqual({ id, status: "ready" });
    expect(await get(id)).toMatchObject({ title: "Zeppelins", version: 1 });
  });

  test("are changed each without the other, and of a pending document without making it young", async () => {
    const id = await send("tea.md");
    await tenantQuery(caller.principal, "update vectors.document set updated_at = '2026-01-01'");
    await vectors.updateDocument({ id, metadata: { a: 1 } }, caller);
    await vectors.updateDocument({ id, title: "Coffee" }, caller);
    expect(await get(id)).toMatchObject({
      title: "Coffee",
      metadata: { a: 1 },
      status: "pending",
      updatedAt: "2026-01-01T00:00:00.000Z",
    });
  });

  test("are refused when there is nothing, and another organisation's document is not there", async () => {
    const id = await send("tea.md");
    const change = (request: { id: string; title?: string }, by = caller): Promise<string | undefined> =>
      reason(vectors.updateDocument(request, by));
    expect(await change({ id })).toBe("invalid_request");
    expect(await change({ id, title: " " })).toBe("invalid_request");
    expect(await change({ id, title: "Mine" }, createCaller())).toBe("document_not_found");
    expect(await change({ id: "nothing", title: "Mine" })).toBe("document_not_found");
    expect(await get(id)).toMatchObject({ title: "Tea" });
  });
});

describe("a batch", () => {
  const batch = (documents: Parameters<typeof vectors.ingestMany>[0]["documents"]) =>
    vectors.ingestMany({ documents }, caller);

  test("stores each document by itself and says of each what became of it, in their order", async () => {
    const { results } = await batch([
      { source: "a.md", text: TEXT },
      { source: "blank.md", text: " " },
      { source: "b.md", title: "B", text: "Bread.", metadata: { n: 1 } },
      { source: "a.md", text: "Another." },
      { source: "nul.md", text: "x", metadata: { a: "\u0000" } },
      { source: "nul.md", text: "Sound." },
    ]);
    expect(results).toEqual([
      { source: "a.md", id: expect.any(String), status: "pending" },
      {
        source: "blank.md",
        error: expect.objectContaining({ reason: "invalid_request", fields: { text: "is blank" } }),
      },
      { source: "b.md", id: expect.any(String), status: "pending" },
      { source: "a.md", error: expect.objectContaining({ fields: { source: "is named twice in this batch" } }) },
      { source: "nul.md", error: expect.objectContaining({ reason: "invalid_request" }) },
      // One that was refused takes its source from none.
      { source: "nul.md", id: expect.any(String), status: "pending" },
    ]);
    const { documents } = await vectors.listDocuments({}, caller);
    expect(documents.map(({ source }) => source).sort()).toEqual(["a.md", "b.md", "nul.md"]);
    expect(await get(results[2]?.id ?? "")).toMatchObject({ title: "B", metadata: { n: 1 } });
  });

  test("sent again unchanged makes no version, splits nothing and asks the embedder for nothing", async () => {
    const documents = Array.from({ length: 20 }, (_, n) => ({ source: `${n}.md`, text: `## Part\n\nText ${n}.` }));
    const first = await batch(documents);
    for (const { id } of first.results) await embed(id ?? "");
    const asked = embedder.texts.length;
    // With other metadata one of them is looked at, and still not embedded.
    const again = await batch(documents.map((each, n) => (n === 3 ? { ...each, metadata: { new: true } } : each)));
    expect(again.results).toEqual(first.results.map((result) => ({ ...result, status: "ready" })));
    expect(embedder.texts).toHaveLength(asked);
    const versions = await tenantQuery(caller.principal, "select distinct version from vectors.document");
    expect(versions).toEqual([{ version: 1 }]);
    expect(await get(first.results[3]?.id ?? "")).toMatchObject({ metadata: { new: true } });
  });
});

test("a batch that cannot be stored ends with its answer: nothing of it is stored afterwards", async () => {
  const documents = Array.from({ length: 40 }, (_, n) => ({ source: `${n}.md`, text: `Text ${n}.` }));
  const count = async (): Promise<number> => (await vectors.listDocuments({ limit: 100 }, caller)).documents.length;
  // What the database refuses is nothing that a document's own answer could say.
  await ownerPool().query(
    `create function vectors.refuse_for_test() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
     create trigger refuse_for_test before insert on vectors.document
       for each row when (new.source = 'refused.md') execute function vectors.refuse_for_test()`,
  );
  try {
    const sent = [{ source: "refused.md", text: "Refused." }, ...documents];
    await expect(ingestBatch(caller.principal, sent, "m")).rejects.toThrow();
    const stored = await count();
    expect(stored).toBeLessThan(documents.length);
    await send("after.md");
    expect(await count()).toBe(stored + 1);
  } finally {
    await ownerPool().query("drop function vectors.refuse_for_test() cascade");
  }
});

/** Keeps the looks at what other processes settled from happening until they are released; `due` resolves when one would be made. */
function holdLooks(): { due: () => Promise<void>; release: () => void } {
  const held: (() => void)[] = [];
  const { setTimeout: real } = globalThis;
  const hold = (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): NodeJS.Timeout => {
    if (ms !== LOOK_MS) return real(run, ms, ...args);
    held.push(run);
    return real(() => undefined, 0);
  };
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(hold as unknown as typeof setTimeout);
  return {
    due: () => vi.waitUntil(() => held.length > 0, { interval: 5, timeout: 30_000 }).then(() => undefined),
    release: () => {
      spy.mockRestore();
      for (const run of held) run();
    },
  };
}

describe("waiting for a document", () => {
  test.each(["ready", "failed"] as const)("ends when this process has made it %s, before any look", async (status) => {
    const id = await send("a.md");
    const looks = holdLooks();
    try {
      const wait = waitUntilSettled(caller.principal, id, 600_000);
      await looks.due();
      if (status === "ready") await embed(id);
      else
        await withTenant(caller.principal, (tx) =>
          failDocument(tx, { tenantId: caller.tenantId, id, version: 1, reason: "attempts_exhausted" }),
        );
      await wait;
    } finally {
      looks.release();
    }
    expect(await get(id)).toMatchObject({ status });
  });

  test("is over at once for everybody when the process holds as many as it may", async () => {
    const id = await send("a.md");
    const others = Array.from({ length: WAITS_MAX / 100 }, () => tenantIdFrom(newId()));
    const held = others.flatMap((tenantId) => Array.from({ length: 100 }, () => beginWait(tenantId, id, 600_000)));
    try {
      await waitUntilSettled(caller.principal, id, 600_000);
      expect(await vectors.getDocument({ id, wait: 30 }, caller)).toMatchObject({ status: "pending" });
    } finally {
      for (const { end } of held) end();
    }
  });

  test("ends when another process has, and is over at once for one that is not pending, and after its time", async () => {
    const id = await send("a.md");
    expect(await vectors.getDocument({ id, wait: 0 }, caller)).toMatchObject({ status: "pending" });
    expect(await vectors.getDocument({ id, wait: 0.01 }, caller)).toMatchObject({ status: "pending" });
    const began = performance.now();
    const waiting = vectors.getDocument({ id, wait: 30 }, caller);
    await tenantQuery(caller.principal, "update vectors.document set status = 'ready' where id = $1", [id]);
    expect(await waiting).toMatchObject({ status: "ready" });
    expect(performance.now() - began).toBeLessThan(30_000); // the look ended it, not its time
    expect(await vectors.getDocument({ id, wait: 30 }, caller)).toMatchObject({ status: "ready" });
    expect(await reason(vectors.getDocument({ id, wait: 30 }, createCaller()))).toBe("document_not_found");
  });

  test("is refused when a hundred of the organisation wait, and nobody else's is", async () => {
    const [id, other] = [await send("a.md"), createCaller()];
    const { id: theirs } = await vectors.ingest({ source: "a.md", text: TEXT }, other);
    const waits = Array.from({ length: 100 }, () => vectors.getDocument({ id, wait: 30 }, caller));
    expect(await reason(vectors.getDocument({ id, wait: 30 }, caller))).toBe("rate_limited");
    expect(await vectors.getDocument({ id: theirs, wait: 0.01 }, other)).toMatchObject({ status: "pending" });
    await embed(id);
    expect(new Set((await Promise.all(waits)).map(({ status }) => status))).toEqual(new Set(["ready"]));
    expect(await vectors.getDocument({ id, wait: 30 }, caller)).toMatchObject({ status: "ready" });
  });
});

test("usage follows what documents are ready, replaced and deleted", async () => {
  const usage = () => vectors.getUsage(caller);
  const count = (id: string): Promise<void> =>
    withTenant(caller.principal, (tx) => usageCountDocument(tx, caller.tenantId, id));
  expect(await usage()).toEqual({ documents: 0, chunks: 0, bytes: 0 });
  const [a, b] = [await send("a.md", "Tee für zwei."), await send("b.md")];
  for (const id of [a, b, b]) await count(id);
  expect(await usage()).toEqual({ documents: 2, chunks: 3, bytes: Buffer.byteLength("Tee für zwei.") + TEXT.length });
  await send("a.md", "Less.");
  await count(a);
  expect(await usage()).toEqual({ documents: 2, chunks: 3, bytes: 5 + TEXT.length });
  await vectors.removeDocument({ id: b }, caller);
  expect(await usage()).toEqual({ documents: 1, chunks: 1, bytes: 5 });
});

describe("a text that an older splitter split", () => {
  const age = (id: string, more = ""): Promise<unknown> =>
    tenantQuery(caller.principal, `update vectors.document set splitter = 0${more} where id = $1`, [id]);
  const splitterOf = async (id: string): Promise<number | undefined> =>
    (
      await tenantQuery<{ splitter: number }>(caller.principal, "select splitter from vectors.document where id = $1", [
        id,
      ])
    )[0]?.splitter;
  const MODEL = "words-of-a-text";

  test("is asked for once for each version, and stays as it is where it comes out the same", async () => {
    const [old, today] = [await send("old.md"), await send("today.md")];
    await embed(old);
    await age(old);
    await enqueueResplits(splitJob);
    await enqueueResplits(splitJob);
    expect([await jobsOf("vectors:split", old), await jobsOf("vectors:split", today)]).toEqual([1, 0]);
    await resplitDocument(caller.principal, old, MODEL);
    expect(await get(old)).toMatchObject({ version: 1, status: "ready" });
    expect(await splitterOf(old)).toBe(SPLITTER_VERSION);
  });

  test("is split again where it comes out otherwise; contents that stay are not embedded again, title and metadata stay", async () => {
    const id = await send("old.md");
    await embed(id);
    await vectors.updateDocument({ id, title: "Mine", metadata: { kept: 1 } }, caller);
    await age(id);
    // As if the splitter of then had made the second chunk otherwise.
    await tenantQuery(caller.principal, "delete from vectors.chunk where document_id = $1 and ordinal = 1", [id]);
    await resplitDocument(caller.principal, id, MODEL);
    await resplitDocument(caller.principal, id, MODEL);
    expect(await get(id)).toMatchObject({
      version: 2,
      status: "ready",
      chunks: 2,
      title: "Mine",
      metadata: { kept: 1 },
    });
    expect(embedder.texts).toHaveLength(2);
    expect(await splitterOf(id)).toBe(SPLITTER_VERSION);
  });

  test("that cannot be split keeps its chunks and is not tried again, unless it was replaced meanwhile", async () => {
    const id = await send("old.md");
    await age(id);
    const payload = { documentId: id, documentVersion: 2, splitter: SPLITTER_VERSION };
    const give = (documentVersion: number): Promise<void> =>
      withTenant(caller.principal, (tx) => keepAsSplit(tx, caller.tenantId, { ...payload, documentVersion }));
    await give(2);
    expect(await splitterOf(id)).toBe(0);
    await give(1);
    expect(await splitterOf(id)).toBe(SPLITTER_VERSION);
    expect(await get(id)).toMatchObject({ version: 1, chunks: 2 });
  });
});
