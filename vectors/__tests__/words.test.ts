// The index of words behind search: what is found by it and how much of it is read, that it holds what the chunks hold, and
// that it opens for nobody but its own organisation.
import { vectors } from "~encore/clients";
import { beforeEach, describe, expect, test } from "vitest";
import { appPool } from "../../db/pool";
import { tenantQuery, withTenant } from "../../db/tenant";
import { isAppAnother, ownerPool } from "../../db/__tests__/owner";
import { reasonOf } from "../../security/errors";
import { createCaller, type Caller } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { embedDocument } from "../embedding";
import { purgeTenant } from "../tenant-purge";
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

describe("words", () => {
  const words = (question: string, ranked = 600, by = caller) =>
    tenantQuery<{ content: string }>(
      by.principal,
      `select c.content from vectors.find_words($2, null, $3, 60) w join vectors.chunk c on c.tenant_id = $1 and c.content_hash = w.content_hash
       order by w.weight desc, c.content`,
      [by.tenantId, question, ranked],
    ).then((rows) => rows.map(({ content }) => content));

  test("that all are there come before any, together where quoted, and without those that must not be there", async () => {
    await send("a.md", "Old lighthouse keepers.");
    await send("b.md", "A keeper of an old dog, not of a lighthouse.");
    await send("c.md", "It's a path\\with 'quotes' http://example.com/it's/x?a='b'.");
    expect(await sources("lighthouse keeper", { mode: "words" })).toHaveLength(2);
    expect(await sources('"lighthouse keeper"', { mode: "words" })).toEqual(["a.md"]);
    expect(await sources("keeper -dog", { mode: "words" })).toEqual(["a.md"]);
    expect(await sources("-dog", { mode: "words" })).toEqual([]);
    expect(await sources("lighthouse submarine", { mode: "words" })).toHaveLength(2);
    expect(await sources("lighthouse -keeper", { mode: "words" })).toEqual([]);
    for (const question of [
      "'quotes'",
      "path\\with",
      "http://example.com/it's/x?a='b'",
      "it's \\'",
      "''",
      "\\",
      "& | ! ( ) <->",
      ":*",
    ])
      expect(await reason(search(question, { mode: "words" })), question).toBeUndefined();
    expect(await sources("'quotes' path\\with", { mode: "words" })).toEqual(["c.md"]);
  });

  test("are looked for in the title first, and the rarest first, where not all chunks that have them are ranked", async () => {
    for (let n = 0; n < 8; n++) await send(`${n}.md`, `A harbour with crane ${n}.`);
    await send("late.md", "Nothing of the kind.", { title: "Harbour" });
    await send("rare.md", "One zeppelin.");
    expect(await words("harbour", 3)).toContain("Nothing of the kind.");
    expect(await words("harbour zeppelin", 3)).toContain("One zeppelin.");
  });

  test("that never all meet are looked for one by one, the longest eight, and no more once rare ones are found in enough", async () => {
    const scansOf = async (question: string, ranked: number): Promise<number> =>
      withTenant(caller.principal, async (tx) => {
        const count = async (): Promise<number> =>
          (
            await tx.query<{ n: number }>("select pg_stat_get_xact_numscans('vectors.word_search'::regclass)::int as n")
          )[0]?.n ?? -1;
        const before = await count();
        await tx.query("select * from vectors.find_words($1, null, $2, 60)", [question, ranked]);
        return (await count()) - before;
      });
    await send("a.md", "A zeppelin.");
    await send("b.md", "Another zeppelin, bright.");
    const unknown = Array.from({ length: 20 }, (_, n) => `q${n}`);
    // Two looks for all words at once, before those for each.
    expect(await scansOf([...unknown, "zeppelin"].join(" "), 300)).toBe(2 + 8);
    expect(await words([...unknown, "zeppelin"].join(" "))).toHaveLength(2);
    // "zeppelin" has two, which is fewer than three and not enough; with "bright" there are.
    expect(await scansOf("zeppelin bright q1 q2 q3", 3)).toBe(2 + 2);
  });

  test("come by index, whatever the organisation holds", async () => {
    await send("a.md", "Old lighthouse keepers.");
    const scans = await withTenant(caller.principal, async (tx) => {
      const count = async (): Promise<number> =>
        (
          await tx.query<{ n: number }>("select pg_stat_get_xact_numscans('vectors.word_search'::regclass)::int as n")
        )[0]?.n ?? -1;
      const before = await count();
      await tx.query("select * from vectors.find_words('lighthouse', null, 600, 60)");
      return (await count()) - before;
    });
    expect(scans).toBeGreaterThan(0);
  });
});

describe("the index of words", () => {
  const rows = async (tenantId: string): Promise<string[]> =>
    (
      await ownerPool().query<{ row: string }>(
        `select concat_ws(' ', document_id, ordinal, encode(content_hash, 'hex')) as row from vectors.word where of_tenant = $1 order by 1`,
        [tenantId],
      )
    ).rows.map(({ row }) => row);
  const chunks = async (): Promise<string[]> =>
    (
      await tenantQuery<{ row: string }>(
        caller.principal,
        "select concat_ws(' ', document_id, ordinal, encode(content_hash, 'hex')) as row from vectors.chunk order by 1",
      )
    ).map(({ row }) => row);

  test("holds what the chunks hold, through every change of them, and nothing of an organisation that is gone", async () => {
    const same = async (count: number): Promise<void> => {
      const held = await rows(caller.tenantId);
      expect(held).toHaveLength(count);
      expect(held).toEqual(await chunks());
    };
    const id = await send("a.md", "## One\n\nText.\n\n## Two\n\nWords.");
    await send("b.md", "Others.");
    await same(3);
    await vectors.updateDocument({ id, title: "Zeppelin" }, caller);
    expect(await sources("zeppelin", { mode: "words" })).toEqual(["a.md", "a.md"]);
    await same(3);
    await send("a.md", "## One\n\nText.");
    await same(2);
    await vectors.removeDocument({ id }, caller);
    await same(1);
    await purgeTenant(caller.tenantId);
    expect(await rows(caller.tenantId)).toEqual([]);
  });

  test("opens for nobody: not for another organisation, not for who has the app's login, not by a table of one's own", async ({
    skip,
  }) => {
    skip(
      !isAppAnother() && process.env.GROUNDWORK_TEST_POSTGRES_URL === undefined,
      "an owner's login may do all of it",
    );
    const [other, secret] = [createCaller(), "zanzibarquartz"];
    await send("secret.md", `All about ${secret}.`);
    const before = await rows(caller.tenantId);
    const found = (sql: string, params: unknown[] = []) => tenantQuery(other.principal, sql, params);
    expect(await sources(secret, { mode: "words" }, other)).toEqual([]);
    expect(await found("select * from vectors.find_words($1, null, 600, 60)", [secret])).toEqual([]);
    const attempts: [sql: string, refusal?: string][] = [
      ["select search::text from vectors.word"],
      [
        `select w.* from vectors.word w where w.ctid = any(vectors.word_rows('${caller.tenantId}', '${secret}', null, 9))`,
      ],
      [
        `select repeat('zanzibar' || 'quartz', cardinality(vectors.word_rows('${caller.tenantId}', '${secret}', null, 9)))`,
      ],
      [`insert into vectors.word values ('${other.tenantId}', gen_random_uuid(), 0, 'x', '')`],
      ["delete from vectors.word"],
      ["update vectors.word set search = ''"],
      [
        "create trigger t after insert on mine referencing new table as added for each statement execute function vectors.keep_words()",
        "permission denied for function",
      ],
      ["select vectors.keep_words()"],
    ];
    // One by one: two statements in one message are refused before the first of them runs.
    for (const [sql, refusal] of attempts) {
      const answer = await withTenant(other.principal, async (tx) => {
        if (sql.includes("on mine")) await tx.query("create temp table mine (like vectors.chunk)");
        return tx.query(sql);
      }).catch((error: unknown) => [error, (error as { cause?: unknown }).cause].map(String).join(" "));
      expect(JSON.stringify(answer), sql).not.toContain(secret);
      if (refusal !== undefined) expect(String(answer), sql).toContain(refusal);
    }
    await ownerPool().query("analyze vectors.word");
    const { rows: statistics } = await appPool().query(
      "select s::text as text from pg_stats s where schemaname = 'vectors' and tablename like 'word%'",
    );
    expect(JSON.stringify(statistics)).not.toContain(secret);
    expect(await rows(caller.tenantId)).toEqual(before);
    expect(await rows(other.tenantId)).toEqual([]);
  });
});
