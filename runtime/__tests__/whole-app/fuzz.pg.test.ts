// Hostile requests over every endpoint there is: never a 5xx, always the typed error shape, and
// never a word of another organisation's document, and nowhere one of the secrets that were planted before. Repeat a failure
// with GROUNDWORK_FUZZ_SEED; GROUNDWORK_FUZZ_REQUESTS=100000 and GROUNDWORK_FUZZ_PLANTED=25 (of thirty secrets each) make it a long one.
import { execFile } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { Pool } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSampler, operationsOf, type Document } from "./support/fuzz/openapi";
import { createRandom } from "./support/fuzz/random";
import { plantInEnvironment, plantPerson, type Ask, type Planted } from "./support/fuzz/planted";
import { startMailSink, type MailSink } from "./support/fuzz/mail-sink";
import {
  describeRequest,
  nextRequest,
  type DrawnRequest,
  type FuzzRequest,
  type FuzzWorld,
} from "./support/fuzz/requests";
import { startCollector, type Collector } from "./support/otlp-collector";
import { makeOwnServers, type OwnServers } from "./support/own-servers";
import { type RunningApp, startApp, migratedStateDir, until } from "./support/running-app";

/** Each operation is asked many times. */
const REQUESTS = Number(process.env.GROUNDWORK_FUZZ_REQUESTS ?? 2_500);
/** People who plant thirty secrets each. */
const PEOPLE = Number(process.env.GROUNDWORK_FUZZ_PLANTED ?? 2);
const LANES = 8;
const SECRET = "zanzibarquartz";
const seed = Number(process.env.GROUNDWORK_FUZZ_SEED ?? 20_260_803);

interface Answer {
  status: number;
  type: string;
  body: string;
  cookies: string[];
}

interface Session {
  accessToken: string;
}

const state = migratedStateDir();
const planted: Planted = new Map();
let collector: Collector;
let mails: MailSink;
let app: RunningApp;
let pool: Pool;
/** `npm run test:pg` brings them. */
let servers: OwnServers | undefined;

beforeAll(async () => {
  collector = await startCollector();
  servers = await makeOwnServers("fuzz");
  const mailPassword = `mail-planted-${crypto.randomUUID()}`;
  planted.set(mailPassword, "MAIL_URL");
  mails = await startMailSink(mailPassword);
  // The limits are tested elsewhere; here they would answer 429 to everything after the first hundred. A busy
  // machine is no bad input: statements may take their time.
  app = await startApp(state.path, {
    LIMIT_SCALE: "1000000",
    LOG_LEVEL: "trace",
    DB_STATEMENT_TIMEOUT_MS: "60000",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
    MAIL_URL: mails.url,
    MAIL_FROM: "mail@groundwork.test",
    ...plantInEnvironment(planted),
    ...servers?.env,
  });
  pool = new Pool(app.baseUrl, { connections: LANES, headersTimeout: 10_000, bodyTimeout: 10_000 });
});

afterAll(async () => {
  await pool?.close();
  await app?.stop();
  await collector?.close();
  await mails?.close();
  await servers?.drop();
  state.remove();
});

async function send({ method, path, headers, body }: FuzzRequest): Promise<Answer> {
  const response = await pool.request({ method, path, headers, body: body ?? null });
  return {
    status: response.statusCode,
    type: String(response.headers["content-type"] ?? ""),
    body: await response.body.text(),
    cookies: [response.headers["set-cookie"] ?? []].flat(),
  };
}

const JSON_TYPE = { "content-type": "application/json" };
const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

async function call<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
  const headers = { ...JSON_TYPE, ...bearer(token) };
  const answer = await send({ method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  expect(answer.status, `${method} ${path}: ${answer.body}`).toBeLessThan(300);
  return (answer.body === "" ? undefined : JSON.parse(answer.body)) as T;
}

const valueOf = (cookie: string): string => /=([^;]*)/.exec(cookie)?.[1] ?? "";

const tryTo: Ask["tryTo"] = async (path, body, token, method = "POST") => {
  // As a page of ours: others are given no cookie.
  const headers = { ...JSON_TYPE, ...bearer(token), "sec-fetch-site": "same-origin" };
  const { status, body: text, cookies } = await send({ method, path, headers, body: JSON.stringify(body) });
  return { status, text, cookies: cookies.map(valueOf).filter((value) => value !== "") };
};

const person = (name: string): { email: string; password: string } => ({
  email: `${name}@example.com`,
  password: `the passphrase of ${name}`,
});

type Told = Record<string, unknown>;
const isObject = (value: unknown): value is Told => typeof value === "object" && value !== null;
const isWord = (value: unknown): boolean => typeof value === "string" && /^[a-z_]+$/.test(value);

const isHouseError = ({ code, message, details }: Told): boolean =>
  isWord(code) && typeof message === "string" && (details === null || isObject(details));
/** In the form of the OpenAI protocol. */
const isOpenAiError = ({ error }: Told): boolean =>
  isObject(error) && isWord(error.code) && isWord(error.type) && typeof error.message === "string";
const isRpcError = ({ jsonrpc, error }: Told): boolean =>
  jsonrpc === "2.0" && isObject(error) && Number.isInteger(error.code) && typeof error.message === "string";

/** What the gateway, or the host before any routing, refuses has the house's form on every path. */
function isTypedError(path: string, text: string): boolean {
  try {
    const told: unknown = JSON.parse(text);
    if (!isObject(told)) return false;
    if (isHouseError(told)) return true;
    if (path.startsWith("/ai/v1/")) return isOpenAiError(told);
    return /^\/mcp\/?(?:$|\?)/.test(path) && isRpcError(told);
  } catch {
    return false;
  }
}

const metricsToken = (): string => [...planted].find(([, what]) => what === "METRICS_TOKEN")?.[0] ?? "";

/** Which of the planted secrets a text holds, by what they are. */
function plantedIn(text: string): string[] {
  return [...planted].filter(([secret]) => text.includes(secret)).map(([, what]) => what);
}

/** Everything that the database holds, as text; bytes as they are and as hexadecimal digits. */
async function allRows(): Promise<string> {
  const sql = async (statements: string): Promise<string> => {
    const args = [join(__dirname, "../../../dist/cli.js"), "sql", "--json", "-c", statements];
    const env = { ...process.env, GROUNDWORK_STATE_DIR: state.path, ...servers?.env };
    return (await promisify(execFile)(process.execPath, args, { env, maxBuffer: 1 << 29 })).stdout;
  };
  const listed = await sql(
    "select quote_ident(schemaname) || '.' || quote_ident(tablename) as t from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
  );
  const tables = [...listed.matchAll(/"t":\s*"([^"]+)"/g)].map(([, name]) => name!);
  expect(tables).toEqual(expect.arrayContaining(["auth.account", "secrets.secret", "events.outbox"]));
  return sql(tables.map((name) => `select t::text as rows from ${name} t`).join(";\n"));
}

/** What is wrong with an answer; undefined when nothing is. */
function complaint(request: FuzzRequest, answer: Answer): string | undefined {
  if (answer.status >= 500) return `answered ${answer.status}: ${answer.body.slice(0, 300)}`;
  const told = plantedIn(answer.body);
  if (told.length > 0) return `told ${told.join(", ")}: ${answer.body.slice(0, 300)}`;
  if (answer.body.includes(SECRET)) return `told another organisation's text: ${answer.body.slice(0, 300)}`;
  if (answer.status < 400 || request.method === "HEAD") return undefined;
  // Before any routing, by HTTP's own parser (`H-20` in runtime/CONTRACT.md): the line or the headers are too long.
  if (answer.status === 414 || answer.status === 431) return undefined;
  return isTypedError(request.path, answer.body)
    ? undefined
    : `answered ${answer.status} ${answer.type} without a code and a message in their form: ${answer.body.slice(0, 300)}`;
}

/** The application's own log lines about an answer: an internal error says nothing to its caller. */
function logOf(answer: Answer): string {
  const requestId = /"requestId":"(\w+)"/.exec(answer.body)?.[1];
  if (requestId === undefined) return "";
  const lines = app
    .output()
    .split("\n")
    .filter((line) => line.includes(requestId));
  return lines.map((line) => `\n    ${line.slice(0, 1_000)}`).join("");
}

async function makeWorld(random = createRandom(seed)): Promise<{ world: FuzzWorld; renew(): Promise<void> }> {
  const document = await call<Document>("GET", "/docs/openapi.json");
  const victim = await call<Session>("POST", "/auth/register", { ...person("victim"), organisation: "Victim" });
  const secret = await call<{ id: string }>(
    "POST",
    "/vectors/documents",
    { source: "secret.md", text: `The code word is ${SECRET}.` },
    victim.accessToken,
  );
  const attacker = await call<Session>("POST", "/auth/register", { ...person("attacker"), organisation: "Attacker" });
  const own = await call<{ id: string }>(
    "POST",
    "/vectors/documents",
    { source: "own.md", text: "Nothing of interest." },
    attacker.accessToken,
  );
  // Of a person, as often as of the keys together: most places are a person's.
  const { key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "fuzz" }, attacker.accessToken);
  const machine = await call<{ id: string }>(
    "POST",
    "/auth/service-principals",
    { name: "fuzz", permissions: ["document.read", "document.write", "job.read"] },
    attacker.accessToken,
  );
  const machines = await call<{ key: string }>(
    "POST",
    "/auth/api-keys",
    { name: "fuzz machine", servicePrincipalId: machine.id },
    attacker.accessToken,
  );
  let token = attacker.accessToken;
  let cookie = "";
  const world: FuzzWorld = {
    operations: operationsOf(document),
    sample: createSampler(document, random),
    tokens: () => [token, token, key, machines.key],
    cookie: () => cookie,
    ids: [secret.id, secret.id, own.id, "01890000-0000-7000-8000-000000000000"],
  };
  let current = person("attacker");
  let attackers = 0;
  // A fuzzed logout that succeeds ends the session, and a fuzzed request may delete the account; the next hundreds of
  // requests want a living one.
  const renew = async (): Promise<void> => {
    const signedIn = await call<Session>("POST", "/auth/login", current).catch(() => {
      current = person(`attacker-${++attackers}`);
      return call<Session>("POST", "/auth/register", { ...current, organisation: "Attacker" });
    });
    token = signedIn.accessToken;
    const browser = await send({
      ...{ method: "POST", path: "/auth/login", headers: { ...JSON_TYPE, "sec-fetch-site": "same-origin" } },
      body: JSON.stringify({ ...current, cookies: true }),
    });
    cookie = browser.cookies.map((set) => set.split(";")[0]).join("; ");
  };
  return { world, renew };
}

describe(`${REQUESTS} hostile requests (GROUNDWORK_FUZZ_SEED=${seed})`, () => {
  test(
    "each is answered by something below 500, and each error is typed",
    async () => {
      const random = createRandom(seed);
      const { world, renew } = await makeWorld();
      for (let person = 0; person < PEOPLE; person++)
        await plantPerson({ call, tryTo, mails }, planted, `person-${person}`);
      expect(planted.size).toBeGreaterThan(30 * PEOPLE);
      expect(world.operations.length).toBeGreaterThan(100);
      const letIn = new Set<string>();
      const wrong: string[] = [];
      const statuses = new Map<number, number>();
      const lane = async (batch: DrawnRequest[]): Promise<void> => {
        for (let request = batch.pop(); request !== undefined; request = batch.pop()) {
          const answer = await send(request).catch((error: Error) => ({
            ...{ status: 599, type: "", body: error.message, cookies: [] },
          }));
          if (answer.status < 300) letIn.add(request.operation);
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          const problem = complaint(request, answer);
          if (problem !== undefined) wrong.push(`${describeRequest(request)}\n    ${problem}${logOf(answer)}`);
        }
      };
      for (let done = 0; done < REQUESTS && wrong.length < 20; done += 500) {
        await renew();
        // Every operation is asked, and then any.
        const batch = Array.from({ length: 500 }, (_, at) => nextRequest(world, random, world.operations[done + at]));
        await Promise.all(Array.from({ length: LANES }, () => lane(batch)));
      }
      expect(wrong, `seed ${seed}`).toEqual([]);
      expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(REQUESTS);
      // A fuzzer that is only ever refused at the door tests the door.
      expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 401, 404]));
      process.stdout.write(
        `fuzz: ${REQUESTS} requests, ${letIn.size} of ${world.operations.length} operations let some in\n`,
      );
      expect(letIn.size).toBeGreaterThan(world.operations.length / 4);
      expect((await send({ method: "GET", path: "/livez", headers: {} })).status).toBe(200);
    },
    Math.max(180_000, REQUESTS * 10),
  );

  test("none of the planted secrets is in a log line, a span, a metric, a dead letter or a table", async () => {
    // What looks for them finds what is there.
    expect(app.output().includes('"route":"auth.login"')).toBe(true);
    const scrape = (): Promise<Answer> => send({ method: "GET", path: "/metrics", headers: bearer(metricsToken()) });
    await until("mails were given up", async () => /^dead_letters\w*\{[^}]*\} [1-9]/m.test((await scrape()).body));
    const metrics = await scrape();
    expect(metrics.status).toBe(200);
    await until(
      "spans and metrics were sent",
      () => collector.spans.length > 100 && collector.bodies.some((body) => body.includes("db_query_duration")),
    );
    const rows = await allRows();
    expect(rows.includes(SECRET)).toBe(true);
    const kept = (await servers?.redisContents()) ?? "";
    expect(kept.includes("vectors")).toBe(servers !== undefined);
    const places = {
      logs: app.output(),
      telemetry: Buffer.concat(collector.bodies).toString("latin1"),
      metrics: metrics.body,
      tables: rows,
      redis: kept,
    };
    const found = Object.entries(places).flatMap(([place, text]) =>
      plantedIn(text).map((what) => `${what} in ${place}`),
    );
    const asBytes = [...planted].filter(([secret]) => rows.includes(Buffer.from(secret).toString("hex")));
    expect([...found, ...asBytes.map(([, what]) => `${what} in tables, as bytes`)]).toEqual([]);
  });

  test("bytes that are no HTTP do not end the process", async () => {
    const { hostname, port } = new URL(app.baseUrl);
    const garbage = [
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
      "POST /auth/login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
      "\u0016\u0003\u0001\u0002",
      `GET /${"a".repeat(200_000)} HTTP/1.1\r\n\r\n`,
      "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
    ];
    const answers = await Promise.all(
      garbage.map(
        (bytes) =>
          new Promise<string>((resolve) => {
            let text = "";
            const socket = connect(Number(port), hostname, () => socket.end(bytes));
            socket.on("data", (chunk) => (text += chunk.toString("latin1")));
            socket.on("error", () => resolve(text));
            socket.on("close", () => resolve(text));
            socket.setTimeout(5_000, () => socket.destroy());
          }),
      ),
    );
    expect(answers.filter((answer) => /^HTTP\/1\.1 5\d\d/.test(answer))).toEqual([]);
    expect((await send({ method: "GET", path: "/livez", headers: {} })).status).toBe(200);
  });
});
