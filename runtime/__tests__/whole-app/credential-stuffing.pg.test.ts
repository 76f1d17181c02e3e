// Credential stuffing: lists of stolen passwords, tried from fifty addresses, two hundred a second. People who know their
// password still get in, who guesses is throttled, and telemetry says so. Part of `npm run test:pg` in a short form, from so
// few addresses that each is throttled in it too, which counts no time; the whole, a minute, in which a right sign-in takes
// a second at most:
//   GROUNDWORK_STUFFING_SECONDS=60 npm run test:pg -- runtime/__tests__/whole-app/credential-stuffing.pg.test.ts
import { Pool } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AppDB } from "../../../database";
import { createRandom } from "./support/fuzz/random";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const LONG_SECONDS = Number(process.env.GROUNDWORK_STUFFING_SECONDS);
const SECONDS = LONG_SECONDS || 4;
const PER_SECOND = 200;
const ADDRESSES = LONG_SECONDS ? 50 : 5;
const PEOPLE = 12;
const HONEST_EVERY_MS = 500;
const seed = Number(process.env.GROUNDWORK_STUFFING_SEED ?? 20_261_128);

const state = temporaryStateDir();
const metricsToken = "a-token-for-the-metrics";
let app: RunningApp;
let pool: Pool;

async function post(path: string, address: string, body: unknown): Promise<number> {
  const response = await pool.request({
    method: "POST",
    path,
    headers: { "content-type": "application/json", "x-forwarded-for": address },
    body: JSON.stringify(body),
  });
  await response.body.dump();
  return response.statusCode;
}

const person = (n: number): { email: string; password: string } => ({
  email: `person-${n}@stuffing.example`,
  password: `the right passphrase of ${n}`,
});
const home = (n: number): string => `203.0.113.${n + 1}`;

beforeAll(async () => {
  app = await startApp(state.path, {
    DATABASE_URL: AppDB.connectionString,
    MasterKey: "the-master-key-of-an-app-that-is-attacked",
    TRUSTED_PROXIES: "127.0.0.0/8",
    METRICS_TOKEN: metricsToken,
    LOG_LEVEL: "warn",
  });
  pool = new Pool(app.baseUrl, { connections: 256 });
  for (let n = 0; n < PEOPLE; n++)
    expect(await post("/auth/register", home(n), { ...person(n), organisation: `Of ${n}` })).toBe(200);
});

afterAll(async () => {
  await pool?.close();
  await app?.stop();
  state.remove();
});

test(
  `who knows their password gets in while ${ADDRESSES} addresses try ${PER_SECOND} others a second (GROUNDWORK_STUFFING_SEED=${seed})`,
  async () => {
    const random = createRandom(seed);
    const wrong = new Map<number, number>();
    const right = new Map<number, number>();
    const tookMs: number[] = [];
    const atOnce = new Set<Promise<void>>();
    const note = (into: Map<number, number>, work: Promise<number>): Promise<void> => {
      const noted = work.then((status) => void into.set(status, (into.get(status) ?? 0) + 1));
      atOnce.add(noted);
      void noted.finally(() => atOnce.delete(noted));
      return noted;
    };
    const startedAtMs = performance.now();
    const total = SECONDS * PER_SECOND;
    let sent = 0;
    let honest = 0;
    while (sent < total) {
      const elapsedMs = performance.now() - startedAtMs;
      for (; sent < Math.min(total, (elapsedMs / 1000) * PER_SECOND); sent++) {
        // One in fifty of the list is somebody of ours, with a password of elsewhere.
        const email = sent % 50 === 0 ? person(random.integer(0, PEOPLE - 1)).email : `stolen-${sent}@stuffing.example`;
        const address = `198.51.100.${random.integer(1, ADDRESSES)}`;
        void note(wrong, post("/auth/login", address, { email, password: `stolen password ${sent}` }));
      }
      for (; honest < elapsedMs / HONEST_EVERY_MS; honest++) {
        const at = performance.now();
        const n = honest % PEOPLE;
        void note(right, post("/auth/login", home(n), person(n))).then(() => tookMs.push(performance.now() - at));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await Promise.all(atOnce);
    const metrics = await pool.request({
      method: "GET",
      path: "/metrics",
      headers: { authorization: `Bearer ${metricsToken}` },
    });
    // Some are refused by the quota of their address, some by that of failed attempts: each is a series of its own.
    const series = [...(await metrics.body.text()).matchAll(/^limit\w*rejections\w*\{[^}]*\} (\d+)/gm)];
    const trips = series.reduce((sum, [, count]) => sum + Number(count), 0);
    tookMs.sort((a, b) => a - b);
    const slowestMs = Math.round(tookMs.at(-1) ?? Infinity);
    process.stdout.write(
      `credential stuffing: ${Math.round(sent / ((performance.now() - startedAtMs) / 1000))}/s wrong ${JSON.stringify([...wrong])}, ` +
        `right ${JSON.stringify([...right])}, median ${Math.round(tookMs[tookMs.length >> 1] ?? 0)} ms, slowest ${slowestMs} ms, ` +
        `${trips} refusals in the metrics, seed ${seed}\n`,
    );
    expect([...right.keys()]).toEqual([200]);
    expect([...wrong.keys()].filter((status) => ![401, 429, 503].includes(status))).toEqual([]);
    // Those that were looked at fit the quotas of the addresses, and what was looked at when they were used up.
    expect(wrong.get(401) ?? 0).toBeLessThanOrEqual(ADDRESSES * 20 * Math.ceil(SECONDS / 60 + 1));
    expect(wrong.get(429)).toBeGreaterThan(total / 4);
    expect(trips).toBeGreaterThanOrEqual(wrong.get(429) ?? Infinity);
    if (LONG_SECONDS) expect(slowestMs).toBeLessThan(1_000);
  },
  SECONDS * 5_000 + 60_000,
);
