// Whether the time of an answer tells what belongs to somebody else from what does not exist: every place of the app's model
// that takes an id is asked for a thing of another organisation (and of a colleague) and for one that nobody has, pair after
// pair, in random order: `npm run bench:foreign-and-missing -- URL [PAIRS] [--each] [--seed N] [--only TEXT]`, a superuser's
// address of a native Postgres. Each place then has its statistics, and so have all together; |t| and |z| of 4.5 and more fail
// the run. So does a delay of 100 µs, planted in the app's copy, that is not seen. PAIRS (10,000) are of all places together,
// and with `--each` of every one, place after place (how long each took is said); `--only TEXT` asks only in places whose
// `STATUS METHOD PATH, NAME in the PLACE` holds the text. A report, never a test.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import pg from "pg";
import { Client } from "undici";
import { Asker, comparable, missingId } from "../../runtime/__tests__/whole-app/support/pairs/asker";
import { describeSlot, modelOf, slotsOf, type Slot } from "../../runtime/__tests__/whole-app/support/pairs/slots";
import {
  call,
  makePairWorld,
  PERSONAL,
  plantThings,
  renew,
  type PairSend,
} from "../../runtime/__tests__/whole-app/support/pairs/world";
import type { Document } from "../../runtime/__tests__/whole-app/support/fuzz/openapi";
import { createRandom, shuffled, type Random } from "../../runtime/__tests__/whole-app/support/fuzz/random";
import {
  makeServiceThings,
  plantMessage,
  type OwnersCall,
} from "../../runtime/__tests__/whole-app/support/service-things";
import { copyOfApp } from "../app-copy";
import { serveApp } from "../http/guarded-app";
import { compareTimes, isTold, together, type Comparison } from "./statistics";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "20261128" },
    only: { type: "string", default: "" },
    each: { type: "boolean", default: false },
  },
});
const [url, pairsText = "10000"] = positionals;
if (url === undefined)
  throw new Error("usage: npm run bench:foreign-and-missing -- URL [PAIRS] [--each] [--seed N] [--only TEXT]");
const PAIRS = Number(pairsText);
const PLANTED = "GET /vectors/documents/{id}";
const WARM_PAIRS = 30;
/** Access tokens last a quarter of an hour, a fresh sign-in ten minutes. */
const RENEW_MS = 240_000;

/** What is meant where: the first that fits `METHOD path name`. A place that fits none stops the run, so that none is passed over. */
const KINDS: [RegExp, string][] = [
  // Of the platform's staff: refused before anything is looked for, whatever it names.
  [/^\w+ \/(?:operator|console\/api)\//, "organisation"],
  [/ servicePrincipalId$|service-principals/, "service"],
  [/ roleId$|\/auth\/roles/, "role"],
  [/ userId$/, "account"],
  [/ organisationId$|x-organisation-id$|\/organisations/i, "organisation"],
  [/ (?:categoryId|parentId)$|\/api\/v1\/categories/, "category"],
  [/\/api\/v1\/products/, "product"],
  [/\/assets/, "asset"],
  [/\/documents/, "document"],
  [/\/tasks/, "task"],
  [/\/sagas/, "saga"],
  [/\/domains/, "domain"],
  [/\/api-keys/, "key"],
  [/\/invitations/, "invitation"],
  [/\/sessions/, "session"],
  [/\/passkeys/, "passkey"],
  [/\/identities/, "identity"],
  [/\/secrets/, "secret"],
  [/\/api\/v1\/users/, "account"],
  [/ accountId$|\/api\/v1\/accounts/, "ledgerAccount"],
  [/ orderId$|\/api\/v1\/orders/, "order"],
  [/\/api\/v1\/transactions/, "transaction"],
  [/\/api\/v1\/budgets/, "spending"],
  [/ messageId$/, "message"],
  [/\/webhooks\/endpoints/, "endpoint"],
  [/\/webhooks\/(?:sources|in)/, "source"],
  [/\/notifications\/push-subscriptions/, "subscription"],
  [/\/notifications\/templates.* language$/, "language"],
  [/\/notifications\/templates/, "template"],
  [/\/notifications\/topics/, "topic"],
  [/\/notifications/, "notification"],
  [/\/ai\/budgets/, "budget"],
  [/\/events\/dead-letters/, "letter"],
  [/\/queues\/dead-letters/, "job"],
];

interface Place {
  name: string;
  asker: Asker;
  slot: Slot;
  foreign: string;
  /** Microseconds. */
  times: { foreign: number[]; missing: number[] };
}

type Header = Record<string, string>;

function plantDelay(app: string): void {
  const file = join(app, "security/guard.ts");
  const text = readFileSync(file, "utf8");
  const planted = text.replace(
    /^ {2}beginWork\(\);$/m,
    `  beginWork();\n  if (call.header("x-delay") === "1") for (const end = performance.now() + 0.1; performance.now() < end; );`,
  );
  if (planted === text) throw new Error("the guard has no line to plant a delay behind");
  writeFileSync(file, planted);
}

function kindOf(slot: Slot): string {
  const text = `${slot.operation.method} ${slot.operation.path} ${slot.name}`;
  const kind = KINDS.find(([pattern]) => pattern.test(text))?.[1];
  if (kind === undefined) throw new Error(`which thing is meant by ${text}? KINDS of this file does not say`);
  return kind;
}

/** Asks for both, in the order that chance says, and notes how long each took. Their answers must be the same. */
async function askPair(client: Client, random: Random, place: Place, isNoted: boolean, delay: Header): Promise<void> {
  const { asker, slot, foreign, times } = place;
  const asked = [
    { into: times.foreign, request: asker.request(slot, foreign), more: delay },
    { into: times.missing, request: asker.request(slot, missingId(foreign)), more: { "x-delay": "0" } },
  ];
  if (random.chance(0.5)) asked.reverse();
  const answers: string[] = [];
  for (const { into, request, more } of asked) {
    const { method, path, headers, body } = request;
    const sent = { method, path, headers: { ...headers, ...more }, body: body ?? null } as const;
    const startedAtMs = performance.now();
    const response = await client.request(sent);
    const text = await response.body.text();
    const tookMs = performance.now() - startedAtMs;
    if (isNoted) into.push(tookMs * 1000);
    answers.push(comparable({ status: response.statusCode, headers: response.headers as Header, text }));
  }
  if (answers[0] !== answers[1]) throw new Error(`${place.name}: different answers\n${answers.join("\n")}`);
}

async function measure(client: Client, places: Place[], count: number, delay = "0", between?: () => Promise<void>) {
  const random = createRandom(Number(values.seed));
  const plan = (each: number): Place[] =>
    shuffled(
      places.flatMap((place) => Array.from({ length: each }, () => place)),
      random,
    );
  const header = { "x-delay": delay };
  for (const place of plan(WARM_PAIRS)) await askPair(client, random, place, false, header);
  for (const place of plan(Math.ceil(count / places.length))) {
    await between?.();
    await askPair(client, random, place, true, header);
  }
}

const line = (name: string, { pairs, t, z, differenceMicros, seenMicros }: Comparison): string =>
  `  ${name.padEnd(76)} ${String(pairs).padStart(6)} pairs  t ${t.toFixed(2).padStart(6)}  z ${z.toFixed(2).padStart(6)}` +
  `  ${differenceMicros.toFixed(1).padStart(6)} µs (${seenMicros.toFixed(0)} would be seen)`;

const say = (name: string, comparison: Comparison, more = ""): void =>
  console.log(`${line(name, comparison)}${more}${isTold(comparison) ? "  TOLD APART" : ""}`);

/** All together in random order, or place after place. */
async function measureAll(client: Client, places: Place[], renewing: () => Promise<void>): Promise<void> {
  if (!values.each) return measure(client, places, PAIRS, "0", renewing);
  for (const place of places) {
    const startedAtMs = performance.now();
    await measure(client, [place], PAIRS, "0", renewing);
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    say(place.name, compareTimes(place.times.foreign, place.times.missing), `  ${seconds} s`);
  }
}

function report(places: readonly Place[]): boolean {
  const compared = places.map(({ name, times }) => ({ name, ...compareTimes(times.foreign, times.missing) }));
  // With --each every place was said as soon as it was asked.
  if (!values.each) for (const { name, ...comparison } of compared) say(name, comparison);
  const all = { t: together(compared.map(({ t }) => t)), z: together(compared.map(({ z }) => z)) };
  const pairs = compared.reduce((sum, comparison) => sum + comparison.pairs, 0);
  const isAnyTold = isTold(all) || compared.some(isTold);
  console.log(
    `  all together: ${pairs} pairs, t ${all.t.toFixed(2)}, z ${all.z.toFixed(2)}: ${isAnyTold ? "told apart" : "not told apart"}`,
  );
  return isAnyTold;
}

/** Every place with the thing that is meant there, prepared to be asked as far as the look for it. */
async function placesOf(
  client: Client,
  app: string,
  pool: pg.Pool,
): Promise<{ places: Place[]; renewAll: () => Promise<void> }> {
  const send: PairSend = async ({ method, path, headers, body }) => {
    const response = await client.request({ method, path, headers, body: body ?? null });
    return { status: response.statusCode, headers: response.headers as Header, text: await response.body.text() };
  };
  const world = await makePairWorld(send, "times");
  await plantThings(pool, world);
  const { owner, things } = world;
  const owns: OwnersCall = (method, path, body) => call(send, method, path, body, owner);
  Object.assign(things, await makeServiceThings(owns, { word: "planted", userId: owner.userId }));
  await plantMessage(pool, { organisationId: owner.organisationId, things });
  const content = { title: "planted", body: "Nothing of yours." };
  things.notification = (await owns("POST", "/notifications/send", { to: [owner.userId], category: "a", content })).id;
  const { text } = await send({ method: "GET", path: "/docs/openapi.json", headers: {} });
  const document = JSON.parse(text) as Document;
  const slots = slotsOf(document, modelOf(app));
  const stranger = new Asker(send, document, world.stranger);
  const colleague = new Asker(send, document, world.colleague);
  const places: Place[] = [];
  for (const slot of slots)
    for (const asker of PERSONAL.includes(kindOf(slot)) ? [stranger, colleague] : [stranger]) {
      const foreign = world.things[kindOf(slot)];
      if (foreign === undefined) throw new Error(`the world has no ${kindOf(slot)}`);
      const { status } = await asker.prepare(slot);
      const name = `${status} ${describeSlot(slot)}${asker === colleague ? ", of a colleague" : ""}`;
      if (name.includes(values.only)) places.push({ name, asker, slot, foreign, times: { foreign: [], missing: [] } });
    }
  const renewAll = async (): Promise<void> => {
    for (const asker of [stranger, colleague]) asker.person = await renew(send, asker.person);
  };
  return { places, renewAll };
}

/** Whether a place whose answers come 100 µs later for the one than for the other is told apart. */
async function hasPower(client: Client, places: readonly Place[]): Promise<boolean> {
  const place = places.find(({ name }) => name.includes(PLANTED)) ?? places[0]!;
  const power = { ...place, times: { foreign: [], missing: [] } };
  await measure(client, [power], place.times.foreign.length, "1");
  const seen = compareTimes(power.times.foreign, power.times.missing);
  const verdict = isTold(seen) ? "seen" : "NOT SEEN: too few pairs, or too busy a machine";
  console.log(`${line(`100 µs planted: ${power.name}`, seen)}  ${verdict}`);
  return isTold(seen);
}

const closers: (() => unknown)[] = [];
try {
  const name = `bench_foreign_${process.pid}`;
  const server = new pg.Client({ connectionString: url });
  await server.connect();
  closers.push(() => server.end());
  await server.query(`create database ${name}`);
  closers.push(() => server.query(`drop database ${name} with (force)`));
  const database = Object.assign(new URL(url), { pathname: name }).toString();
  const app = copyOfApp();
  closers.push(() => rmSync(app, { recursive: true, force: true }));
  plantDelay(app);
  const served = await serveApp(app, undefined, {
    DATABASE_URL: database,
    MasterKey: "the-master-key-of-a-benchmark-protects-nothing",
  });
  closers.push(() => served.stop());
  const pool = new pg.Pool({ connectionString: database, max: 1 });
  closers.push(() => pool.end());
  const client = new Client(`http://127.0.0.1:${served.port}`, { pipelining: 1 });
  closers.push(() => client.close());

  const { places, renewAll } = await placesOf(client, app, pool);
  let renewedAtMs = performance.now();
  if (places.length === 0) throw new Error(`no place is called "${values.only}"`);
  console.log(`foreign beside missing, seed ${values.seed}, ${places.length} places`);
  await measureAll(client, places, async () => {
    if (performance.now() - renewedAtMs < RENEW_MS) return;
    await renewAll();
    renewedAtMs = performance.now();
  });
  const isAnyTold = report(places);
  await renewAll();
  if (!(await hasPower(client, places)) || isAnyTold) process.exitCode = 1;
} finally {
  for (const close of closers.reverse()) await close();
}
