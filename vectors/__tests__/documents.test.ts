// From a document to its search result, on a real database, relay, topic, inbox and queue; only the embedder is
// a recording one.
import { randomUUID } from "node:crypto";
import { vectors } from "~encore/clients";
import { beforeEach, describe, expect, test } from "vitest";
import { appPool } from "../../db/pool";
import { systemQuery, tenantQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { principalFrom, type AuthData, type Principal } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { ingest } from "../ingestion";
import { EmbedderError } from "../providers/embedder";
import { searchChunks } from "../search";
import { documentFind } from "../store/documents";
import "../subscriptions";
import { purgeOrphans } from "../upkeep";
import { RecordingEmbedder } from "./recording-embedder";

const newCaller = (role: AuthData["role"] = "member"): AuthData => ({
  userID: randomUUID(),
  tenantId: randomUUID(),
  role,
  sessionId: randomUUID(),
});

let embedder = new RecordingEmbedder();
let caller: AuthData;
let principal: Principal;

runRelayAndWorkers();

beforeEach(() => {
  embedder = new RecordingEmbedder();
  replaceEmbedder(embedder);
  caller = newCaller();
  principal = principalFrom(caller);
});

const send = (source: string, text: string, as = caller): Promise<{ id: string; status: string }> =>
  vectors.ingest({ source, text }, { authData: as });
const stateOf = async (id: string, as = caller): Promise<string> =>
  (await vectors.getDocument({ id }, { authData: as })).status;
const find = async (
  q: string,
  as = caller,
  k?: number,
): Promise<{ documentId: string; source: string; text: string; score: number }[]> =>
  (await vectors.search(k === undefined ? { q } : { q, k }, { authData: as })).results;
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

async function sendAndAwait(source: string, text: string, as = caller): Promise<string> {
  const { id } = await send(source, text, as);
  await expect.poll(() => stateOf(id, as)).toBe("ready");
  return id;
}

function manual(paragraphs: number, edit: Record<number, string> = {}): string {
  const subject = ["tenants", "queues", "tokens", "indexes", "events", "leases", "spans"];
  const paragraph = (index: number): string =>
    edit[index] ??
    `Paragraph ${index} explains ${subject[index % subject.length]} of kind ${index * 7919} with enough words to be worth reading. `.repeat(
      3,
    );
  return Array.from({ length: paragraphs }, (_, index) =>
    index % 6 === 0 ? `## Part ${index / 6}\n\n${paragraph(index)}` : paragraph(index),
  ).join("\n\n");
}

describe("a document", () => {
  test("becomes searchable by words and by meaning", async () => {
    const { id, status } = await send(
      "guide.md",
      "# Guide\n\n## Passwords\n\nPasswords are hashed with argon2id.\n\n## Bread\n\nKnead the dough for ten minutes.",
    );
    expect(status).toBe("pending");
    await expect.poll(() => stateOf(id)).toBe("ready");
    expect(await vectors.getDocument({ id }, { authData: caller })).toMatchObject({ source: "guide.md", chunks: 2 });
    const results = await find("hashed passwords");
    expect(results[0]).toEqual({
      documentId: id,
      source: "guide.md",
      title: "Guide",
      heading: "",
      chunk: 0,
      text: "# Guide\n\n## Passwords\n\nPasswords are hashed with argon2id.",
      snippet: expect.stringContaining("Passwords are hashed"),
      score: 1,
    });
    for (const { score } of results) expect(score).toBeGreaterThan(0);
    expect(results.map(({ score }) => score)).toEqual([...results.map(({ score }) => score)].sort((a, b) => b - a));
  });

  test("is stored with its event and its job in one transaction", async () => {
    const { id } = await send("together.md", "One commit holds all that follows from it.");
    // created_at is when the transaction began.
    const sql = `select array_agg(type order by type) as types from events.outbox where payload->>'documentId' = $1 group by created_at order by created_at limit 1`;
    expect(await systemQuery("test", sql, [id])).toEqual([{ types: ["vectors.document.ingested", "vectors:embed"] }]);
  });

  test("sent again unchanged is ready at once, and the embedder is not asked", async () => {
    const id = await sendAndAwait("manual.md", manual(30));
    const asked = embedder.texts.length;
    expect(asked).toBeGreaterThan(5);
    expect(await send("manual.md", manual(30))).toEqual({ id, status: "ready" });
    expect(await send("manual.md", manual(30))).toEqual({ id, status: "ready" });
    expect(embedder.texts).toHaveLength(asked);
  });

  test("sent under another source is another document, ready at once: its contents are known", async () => {
    const id = await sendAndAwait("one.md", manual(12));
    const asked = embedder.texts.length;
    const copy = await send("two.md", manual(12));
    expect(copy).toEqual({ id: expect.not.stringContaining(id), status: "ready" });
    expect(embedder.texts).toHaveLength(asked);
    const results = await find("kind 7919");
    expect(new Set(results.map(({ text }) => text)).size).toBe(results.length);
  });

  test("with one paragraph changed has only that paragraph's chunks embedded, and the old text is gone", async () => {
    const id = await sendAndAwait("manual.md", manual(60));
    const asked = embedder.texts.length;
    const { status } = await send("manual.md", manual(60, { 23: "This paragraph is about zeppelins now." }));
    expect(status).toBe("pending");
    await expect.poll(() => stateOf(id)).toBe("ready");
    const again = embedder.texts.slice(asked);
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThanOrEqual(4);
    expect(again.join(" ")).toContain("zeppelins");
    expect((await find("zeppelins"))[0]).toMatchObject({ documentId: id });
    expect((await find(`"kind ${23 * 7919}"`)).filter(({ text }) => text.includes(`kind ${23 * 7919} `))).toEqual([]);
  });

  test("is embedded in batches, each text once, also when documents that share texts come at once", async () => {
    const parts = Array.from({ length: 5 }, (_, index) => manual(60, { [index]: `Only in document ${index}.` }));
    const sent = await Promise.all(parts.map((text, index) => send(`shared-${index}.md`, text)));
    await expect
      .poll(async () => (await Promise.all(sent.map(({ id }) => stateOf(id)))).join())
      .toBe("ready,ready,ready,ready,ready");
    expect(new Set(embedder.texts).size).toBe(embedder.texts.length);
    expect(Math.max(...embedder.batches)).toBeLessThanOrEqual(64);
  });

  test("sent by ten at once is one document", async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => send("same.md", "The same text.")));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await expect.poll(() => stateOf(answers[0]?.id ?? "")).toBe("ready");
    expect(embedder.texts).toHaveLength(1);
  });

  test("is tried again when the embedder fails, and what was committed is not embedded again", async () => {
    embedder.failures.push(new EmbedderError("away for a moment", true));
    const id = await sendAndAwait("flaky.md", manual(20));
    expect(await stateOf(id)).toBe("ready");
    expect(new Set(embedder.texts).size).toBe(embedder.texts.length);
  });

  test("is failed when no attempt can help, and sending it again tries anew", async () => {
    embedder.failures.push(new EmbedderError("three dimensions where 512 are stored", false));
    const { id } = await send("hopeless.md", "A text that cannot be embedded.");
    await expect.poll(() => stateOf(id)).toBe("failed");
    const [row] = await systemQuery<{ reason: string }>("test", "select reason from vectors.document where id = $1", [
      id,
    ]);
    expect(row?.reason).toBe("unrecoverable");
    expect((await send("hopeless.md", "A text that cannot be embedded.")).status).toBe("pending");
    await expect.poll(() => stateOf(id)).toBe("ready");
  });

  test("is embedded anew when the model changes, and vectors of two models are never compared", async () => {
    const id = await sendAndAwait("model.md", "Texts are compared within one model.");
    const next = new RecordingEmbedder("another-model");
    replaceEmbedder(next);
    expect((await find("compared within"))[0]?.score).toBe(0.5);
    expect(await send("model.md", "Texts are compared within one model.")).toEqual({ id, status: "pending" });
    await expect.poll(() => stateOf(id)).toBe("ready");
    expect((await find("compared within"))[0]?.score).toBe(1);
  });

  test("is counted once in what its organisation holds, whatever happens to it", async () => {
    const usage = async (): Promise<unknown> =>
      (await tenantQuery(principal, "select document_count, chunk_count from vectors.usage"))[0];
    await sendAndAwait("a.md", "First.");
    await sendAndAwait("b.md", "## One\n\nText.\n\n## Two\n\nText.");
    await expect.poll(usage).toEqual({ document_count: 2, chunk_count: 3 });
    await sendAndAwait("b.md", "## One\n\nText.\n\n## Two\n\nText.\n\n## Three\n\nText.");
    await expect.poll(usage).toEqual({ document_count: 2, chunk_count: 4 });
  });

  test("leaves no embedding behind that nothing needs, a day after it changed", async () => {
    await sendAndAwait("gone.md", "A text that goes.");
    await sendAndAwait("gone.md", "A text that came.");
    const contents = async (): Promise<number> =>
      (await tenantQuery<{ n: number }>(principal, "select count(*)::int as n from vectors.embedding"))[0]?.n ?? -1;
    expect(await contents()).toBe(2);
    await purgeOrphans(new Date());
    expect(await contents()).toBe(2);
    await purgeOrphans(new Date(Date.now() + 2 * 86_400_000));
    expect(await contents()).toBe(1);
  });
});

describe("search", () => {
  test("answers by words alone when the embedder is away, and says so", async () => {
    await sendAndAwait("words.md", "The lighthouse keeper wrote letters.");
    expect((await vectors.search({ q: "lighthouse" }, { authData: caller })).mode).toBe("hybrid");
    embedder.embed = () => Promise.reject(new EmbedderError("away", true));
    expect(await vectors.search({ q: "lighthouse" }, { authData: caller })).toMatchObject({
      mode: "words",
      results: [{ source: "words.md", score: 1 }],
    });
  });

  test("finds by any of the words when no text has all of them", async () => {
    await sendAndAwait("any.md", "The lighthouse keeper wrote letters.");
    embedder.embed = () => Promise.reject(new EmbedderError("away", true));
    expect(await find("lighthouse submarine")).toHaveLength(1);
    expect(await find("submarine")).toEqual([]);
    expect(await find("lighthouse -keeper")).toEqual([]);
  });

  test("gives ten results unless asked for fewer or more, and each text once", async () => {
    await sendAndAwait(
      "many.md",
      Array.from({ length: 30 }, (_, index) => `## Harbour ${index}\n\nThe harbour number ${index} has a crane.`).join(
        "\n\n",
      ),
    );
    expect(await find("harbour crane")).toHaveLength(10);
    expect(await find("harbour crane", caller, 3)).toHaveLength(3);
    const all = await find("harbour crane", caller, 50);
    expect(all).toHaveLength(30);
    expect(new Set(all.map(({ text }) => text)).size).toBe(30);
  });

  test.each([
    ["what's \"this", 0],
    ["& | ! ( ) <-> :*", 0],
    ["'); drop table vectors.chunk; --", 0],
    ["   x   ", 0],
    ["日本語", 0],
  ])("takes %j for what it is: words", async (q) => {
    expect(await find(q)).toEqual([]);
  });

  test("names the field when the question is none", async () => {
    for (const q of ["  ", "a\u0000b"])
      expect(reasonOf(await failureOf(vectors.search({ q }, { authData: caller })))).toBe("invalid_request");
  });
});

describe("what is sent", () => {
  test.each([
    ["source", { source: " ", text: "x" }],
    ["source", { source: "a\u0000", text: "x" }],
    ["text", { source: "a", text: "\u0000" }],
    ["text", { source: "a", text: " \n " }],
    ["metadata", { source: "a", text: "x", metadata: { key: "v\u0000" } }],
    ["metadata", { source: "a", text: "x", metadata: { key: "v".repeat(5_000) } }],
    // A name that JavaScript's objects keep for themselves: it would be dropped without a word.
    ["metadata", { source: "a", text: "x", metadata: JSON.parse('{"__proto__": "v"}') as Record<string, string> }],
  ])("is refused naming %s when that cannot be stored", async (field, request) => {
    const error = (await failureOf(vectors.ingest(request, { authData: caller }))) as {
      details?: { fields?: Record<string, string> };
    };
    expect(reasonOf(error)).toBe("invalid_request");
    expect(Object.keys(error.details?.fields ?? {}).join()).toContain(field);
  });

  test("may hold any other character and come with metadata", async () => {
    const text = "Ünïcödé 日本語 😀 \u0001 \ud800 '\"\\ $1 %s";
    const { id } = await vectors.ingest(
      { source: "odd ' \" $1.md", title: "T", text, metadata: { a: "1", b: 2, c: true } },
      { authData: caller },
    );
    await expect.poll(() => stateOf(id)).toBe("ready");
    expect((await find("Ünïcödé"))[0]?.text).toContain("日本語 😀");
  });
});

describe("a second organisation", () => {
  const text = "The code word is zanzibarquartz.";

  async function twoOrganisations(): Promise<{ id: string; stranger: AuthData }> {
    const id = await sendAndAwait("secret.md", text);
    return { id, stranger: newCaller("owner") };
  }

  const shown = (error: unknown): unknown =>
    JSON.parse(JSON.stringify(error, (key, value: unknown) => (key === "requestId" ? "…" : value)));

  test("sees nothing through any endpoint, and a foreign id answers as a missing one", async () => {
    const { id, stranger } = await twoOrganisations();
    expect(await find("zanzibarquartz code word", stranger)).toEqual([]);
    const foreign = await failureOf(vectors.getDocument({ id }, { authData: stranger }));
    const missing = await failureOf(vectors.getDocument({ id: randomUUID() }, { authData: stranger }));
    const nonsense = await failureOf(vectors.getDocument({ id: "1' or '1'='1" }, { authData: stranger }));
    expect(reasonOf(foreign)).toBe("document_not_found");
    expect(shown(foreign)).toEqual(shown(missing));
    expect(shown(nonsense)).toEqual(shown(missing));
  });

  test("that sends the same source and text gets a document of its own, embedded for itself", async () => {
    const { id, stranger } = await twoOrganisations();
    const own = await sendAndAwait("secret.md", text, stranger);
    expect(own).not.toBe(id);
    expect(embedder.texts).toHaveLength(2);
    expect((await find("zanzibarquartz", stranger)).map(({ documentId }) => documentId)).toEqual([own]);
    expect((await find("zanzibarquartz")).map(({ documentId }) => documentId)).toEqual([id]);
  });

  test("sees nothing with the guard off: row security alone", async () => {
    const { id, stranger } = await twoOrganisations();
    const other = principalFrom(stranger);
    expect(await documentFind(other, id)).toBeUndefined();
    expect(
      (await searchChunks(other, { text: "zanzibarquartz", mode: "hybrid", filter: {}, k: 10 }, embedder)).chunks,
    ).toEqual([]);
    for (const table of ["document", "chunk", "embedding", "usage"])
      expect(await tenantQuery(other, `select * from vectors.${table}`), table).toEqual([]);
    expect(
      await tenantQuery(other, "select * from vectors.nearest($1, $2, $3::vector, 1000000, 10, null)", [
        caller.tenantId,
        embedder.model,
        `[${new Array(512).fill(1).join()}]`,
      ]),
    ).toEqual([]);
  });

  test("changes nothing of the first with the guard off", async () => {
    const { id, stranger } = await twoOrganisations();
    await ingest(principalFrom(stranger), { source: "secret.md", text: "Overwritten." }, embedder.model);
    expect(
      await tenantQuery(principalFrom(stranger), "update vectors.document set source = 'mine' returning id"),
    ).toHaveLength(1);
    expect(await vectors.getDocument({ id }, { authData: caller })).toMatchObject({
      source: "secret.md",
      status: "ready",
    });
    expect((await find("zanzibarquartz"))[0]?.text).toBe(text);
  });

  test("sees nothing with row security off: the statements alone", async () => {
    const { id, stranger } = await twoOrganisations();
    const tables = ["document", "chunk", "embedding", "usage"];
    // Only the tables' owner can take row security off; with a lesser login the same holds with it on.
    const [login] = await systemQuery<{ owns: boolean }>(
      "test",
      "select pg_has_role(session_user, relowner, 'usage') as owns from pg_class where oid = 'vectors.document'::regclass",
    );
    const owns = login?.owns === true;
    const switchTo = async (state: "enable" | "disable"): Promise<void> => {
      if (!owns) return;
      for (const table of tables) await appPool().query(`alter table vectors.${table} ${state} row level security`);
    };
    await switchTo("disable");
    try {
      expect(
        await tenantQuery(principalFrom(stranger), "select id from vectors.document where id = $1", [id]),
      ).toHaveLength(owns ? 1 : 0);
      expect(await find("zanzibarquartz code word", stranger)).toEqual([]);
      await tenantQuery(
        principalFrom(stranger),
        "insert into vectors.usage (tenant_id, document_count, chunk_count) values ($1, 0, 1000000)",
        [stranger.tenantId],
      );
      expect(await find("zanzibarquartz code word", stranger)).toEqual([]);
      expect(reasonOf(await failureOf(vectors.getDocument({ id }, { authData: stranger })))).toBe("document_not_found");
      const own = await sendAndAwait("secret.md", "Mine.", stranger);
      expect(own).not.toBe(id);
      expect((await find("zanzibarquartz"))[0]?.text).toBe(text);
    } finally {
      await switchTo("enable");
    }
  });

  test("as a viewer may read and search but not send", async () => {
    await sendAndAwait("readable.md", "Everybody here may read.");
    const viewer: AuthData = { ...caller, role: "viewer" };
    expect(await find("everybody", viewer)).toHaveLength(1);
    expect(reasonOf(await failureOf(send("x.md", "text", viewer)))).toBe("permission_denied");
  });
});
