// 500 requests at once with one Idempotency-Key, sent to two replicas of the whole app, which are killed (SIGKILL) at random
// moments in between and started again. Every client repeats its request until it has an answer: all have the same, byte for
// byte, and there is one effect. Repeat a failure
// with GROUNDWORK_KILL_SEED; GROUNDWORK_KILL_ROUNDS makes it longer.
import { randomInt } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRandom } from "./support/fuzz/random";
import { makeOwnDatabase, type OwnDatabase } from "./support/own-database";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const ROUNDS = Number(process.env.GROUNDWORK_KILL_ROUNDS ?? 2);
const REQUESTS = 500;
/** Of both replicas, one after the other: the first is down again when the second goes. */
const KILL_AFTER_MS_MAX = 700;

const seed = Number(process.env.GROUNDWORK_KILL_SEED ?? randomInt(2 ** 31));
const random = createRandom(seed);
/** Else each would make its own, and one of them would not be let in by the database. */
const masterKey = "the-master-key-of-both-replicas-of-an-app";
const states = [temporaryStateDir(), temporaryStateDir()];

let database: OwnDatabase;
let replicas: RunningApp[] = [];
let token = "";

const start = (at: number): Promise<RunningApp> =>
  startApp(states[at]!.path, {
    DATABASE_URL: database.url,
    MasterKey: masterKey,
    LIMIT_SCALE: "100000",
    LOG_LEVEL: "error",
  });

beforeAll(async () => {
  database = await makeOwnDatabase("idempotency");
  replicas = [await start(0)];
  replicas.push(await start(1));
  const response = await fetch(`${replicas[0]!.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password: "a passphrase of many words", organisation: "Ada" }),
  });
  ({ accessToken: token } = (await response.json()) as { accessToken: string });
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.killTree()));
  await database?.drop();
  for (const state of states) state.remove();
});

let refusals = 0;
let losses = 0;

/** One client: repeats its request, each time at the next replica, until it is answered. */
async function send(client: number, key: string): Promise<string> {
  for (let attempt = client; ; attempt++) {
    const replica = replicas[attempt % replicas.length];
    const outcome = await fetch(`${replica?.baseUrl}/auth/organisations`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}`, "idempotency-key": key },
      body: JSON.stringify({ name: key }),
    }).then(
      async (response) => ({
        status: response.status,
        type: response.headers.get("content-type"),
        text: await response.text(),
      }),
      () => undefined,
    );
    if (outcome?.status === 200) return JSON.stringify(outcome);
    // Lost with its server, or (503) with the database's connections: both may be repeated, as a 409 may.
    if (outcome === undefined || outcome.status === 503) losses++;
    else if (outcome.status === 409) refusals++;
    else throw new Error(`seed ${seed}: ${outcome.status} ${outcome.text}`);
    await new Promise((resolve) => setTimeout(resolve, 200 + random.integer(0, 200)));
  }
}

async function killAndStart(at: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, random.integer(0, KILL_AFTER_MS_MAX)));
  await replicas[at]!.killTree();
  replicas[at] = await start(at);
}

test(`${ROUNDS} × ${REQUESTS} requests at once with one key, while servers die: one effect, one answer (GROUNDWORK_KILL_SEED=${seed})`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const key = `round ${round} of ${seed}`;
    const answering = Promise.all(Array.from({ length: REQUESTS }, (_, client) => send(client, key)));
    await Promise.all([
      killAndStart(round % 2),
      random.integer(0, 1) === 1 ? killAndStart((round + 1) % 2) : undefined,
    ]);
    const answers = new Set(await answering);
    expect([...answers], `seed ${seed}, round ${round}`).toHaveLength(1);
    const { rows } = await database.client.query("select id from auth.organisation where name = $1", [key]);
    expect(rows, `seed ${seed}, round ${round}`).toHaveLength(1);
    expect([...answers][0]).toContain((rows[0] as { id: string }).id);
  }
  const { rows } = await database.client.query("select 1 from idempotency.request where answered_at is null");
  expect(rows).toEqual([]);
  process.stderr.write(
    `idempotency-kill: seed ${seed}, ${ROUNDS * REQUESTS} requests, ${losses} lost with their servers and ${refusals} told to wait\n`,
  );
}, 300_000);
