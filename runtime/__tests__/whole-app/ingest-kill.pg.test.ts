// Again and again the whole app is killed (SIGKILL, the process and everything below it) at a random moment of an
// ingestion, and started again. At the end every document is found exactly once, nothing was embedded twice but
// what was in flight at a kill, and nothing is stuck. Repeat a failure with GROUNDWORK_KILL_SEED; GROUNDWORK_KILLS=20 is the full form.
import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "./support/fuzz/random";
import { makeOwnDatabase, type OwnDatabase } from "./support/own-database";
import { startRecordingOpenAi, type EmbeddingRequest, type RecordingOpenAi } from "./support/recording-openai";
import { type RunningApp, startApp, temporaryStateDir, until } from "./support/running-app";

const KILLS = Number(process.env.GROUNDWORK_KILLS ?? 7);
const DOCUMENTS = 60;
const PER_RUN = 4;
/** A kill comes so long after the first document of a run was sent: in the request, the relay, the job or the idle after them. */
const KILL_AFTER_MS_MAX = 1_500;
/** An answer that left the embedder less than this before the kill may not have been committed. */
const IN_FLIGHT_MS = 3_000;

const seed = Number(process.env.GROUNDWORK_KILL_SEED ?? randomInt(2 ** 31));
const state = temporaryStateDir();
const random = createRandom(seed);

interface Document {
  source: string;
  text: string;
  id?: string;
}

/** What was in flight when the app was killed. */
interface Kill {
  requests: EmbeddingRequest[];
  atMs: number;
}

let database: OwnDatabase;
let openAi: RecordingOpenAi;
let app: RunningApp | undefined;
let token = "";

const documents: Document[] = Array.from({ length: DOCUMENTS }, (_, number) => ({
  source: `document-${number}.md`,
  text: `# Document ${number}\n\n${Array.from({ length: 12 }, (_, part) => `## Part ${part}\n\nThe signal of document ${number} part ${part} is marker${number}x${part}y. ${"Some filling words follow here. ".repeat(1 + (part % 4))}`).join("\n\n")}`,
}));

beforeAll(async () => {
  database = await makeOwnDatabase("ingest");
  openAi = await startRecordingOpenAi(120);
});

afterAll(async () => {
  await app?.killTree();
  openAi?.stop();
  await database?.drop();
  state.remove();
});

const start = (): Promise<RunningApp> =>
  startApp(state.path, {
    DATABASE_URL: database.url,
    EMBEDDINGS_PROVIDER: "openai",
    EMBEDDINGS_BASE_URL: openAi.baseUrl,
    EMBEDDINGS_MODEL: "recorded",
    LIMIT_SCALE: "100000",
    LOG_LEVEL: "error",
  });

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers = { "content-type": "application/json", ...(token === "" ? {} : { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${app?.baseUrl}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

async function send(document: Document): Promise<void> {
  document.id = (
    await call<{ id: string }>("POST", "/vectors/documents", { source: document.source, text: document.text })
  ).id;
}

async function signIn(): Promise<void> {
  const person = { email: "survivor@example.com", password: "a passphrase that survives" };
  token = "";
  const session = await call<{ accessToken: string }>("POST", "/auth/login", person).catch(() =>
    call<{ accessToken: string }>("POST", "/auth/register", { ...person, organisation: "Survivors" }),
  );
  token = session.accessToken;
}

/** Sends some documents and kills the app at a random moment, perhaps while they are being sent. */
async function runUntilKilled(): Promise<Kill> {
  const from = openAi.requests.length;
  app = await start();
  await signIn();
  const unsent = documents.filter(({ id }) => id === undefined).slice(0, PER_RUN);
  // A document whose answer the kill swallowed is sent again by the next run, as a client would.
  const sending = Promise.allSettled(unsent.map(send));
  await new Promise((resolve) => setTimeout(resolve, random.integer(0, KILL_AFTER_MS_MAX)));
  const atMs = performance.now();
  await app.killTree();
  await sending;
  return { requests: openAi.requests.slice(from), atMs };
}

async function count(statement: string): Promise<number> {
  return (await database.client.query<{ n: number }>(`select count(*)::int as n from ${statement}`)).rows[0]?.n ?? -1;
}

function embeddedTwice(): string[] {
  const times = new Map<string, number>();
  for (const text of openAi.requests.filter(isOfDocument).flatMap(({ texts }) => texts))
    times.set(text, (times.get(text) ?? 0) + 1);
  return [...times].filter(([, n]) => n > 1).map(([text]) => text);
}

/** Queries are single questions; documents' texts begin with a heading or the signal. */
const isOfDocument = ({ texts }: EmbeddingRequest): boolean => !(texts.length === 1 && texts[0]?.startsWith("marker"));

test(`${KILLS} kills during an ingestion lose nothing and repeat only what was in flight (GROUNDWORK_KILL_SEED=${seed})`, async () => {
  const kills: Kill[] = [];
  while (kills.length < KILLS) kills.push(await runUntilKilled());

  app = await start();
  await signIn();
  for (const document of documents.filter(({ id }) => id === undefined)) await send(document);
  await until(
    "every document is ready",
    async () => (await count("vectors.document where status = 'ready'")) === DOCUMENTS,
    120_000,
  );

  expect(await count("vectors.document"), `seed ${seed}`).toBe(DOCUMENTS);
  expect(await count("vectors.embedding where embedding is null")).toBe(0);
  const chunks = "select tenant_id, document_id, ordinal, content_hash from vectors.chunk";
  const words = "select of_tenant, document_id, ordinal, content_hash from vectors.word";
  expect(await count("vectors.word")).toBeGreaterThan(DOCUMENTS);
  expect(await count(`((${chunks} except ${words}) union all (${words} except ${chunks})) different`)).toBe(0);
  for (const [number, { id, source }] of documents.entries()) {
    const part = number % 12;
    const { results } = await call<{ results: { documentId: string; source: string; text: string }[] }>(
      "GET",
      `/vectors/search?q=marker${number}x${part}y&k=50`,
    );
    const found = results.filter(({ text }) => text.includes(`marker${number}x${part}y`));
    expect(
      found.map((result) => [result.documentId, result.source]),
      `seed ${seed}`,
    ).toEqual([[id, source]]);
  }

  const inFlight = new Set(
    kills
      .flatMap(({ requests, atMs }) =>
        requests.filter(({ answeredAtMs }) => answeredAtMs === undefined || answeredAtMs > atMs - IN_FLIGHT_MS),
      )
      .flatMap(({ texts }) => texts),
  );
  const twice = embeddedTwice();
  expect(
    twice.filter((text) => !inFlight.has(text)),
    `seed ${seed}`,
  ).toEqual([]);

  await until(
    "nothing is on its way",
    async () => (await count("events.outbox where published_at is null")) === 0,
    30_000,
  );
  expect(await count("events.dead_letter")).toBe(0);
  expect(await count("queues.dead_letter")).toBe(0);
  // What a subscription has no handler for is not delivered to it.
  expect(await count("bullmq.job where queue = 'domain-events/vectors-purge'")).toBe(0);
  await until(
    "every ready document is counted",
    async () => (await count(`vectors.usage where document_count = ${DOCUMENTS}`)) === 1,
    60_000,
  );
  await until("no job or message is left", async () => (await unfinishedJobs()).length === 0, 60_000);
  const texts = openAi.requests.filter(isOfDocument).reduce((sum, request) => sum + request.texts.length, 0);
  process.stderr.write(
    `ingest-kill: seed ${seed}, ${texts} texts embedded, ${twice.length} of them twice (in flight at a kill)\n`,
  );
}, 900_000);

/** Jobs that are neither done nor waiting to be removed. */
async function unfinishedJobs(): Promise<unknown[]> {
  const sql = "select queue, state, count(*)::int as n from bullmq.job where state <> 'completed' group by 1, 2";
  return (await database.client.query<{ queue: string; state: string; n: number }>(sql)).rows;
}
