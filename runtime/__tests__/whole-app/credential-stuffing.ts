// Part of credential-stuffing.pg.test.ts and, in a short form, of trace.test.ts: lists of stolen passwords are tried from several
// addresses. People who know their password still get in, who guesses is throttled, and telemetry says so. What is counted
// holds however long it takes.
import { Pool } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { createRandom } from "./support/fuzz/random";

const PEOPLE = 12;
/** Right sign-ins in the time of so many attempts. */
const HONEST_PER_SECOND = 2;
const METRICS_TOKEN = "a-token-for-the-metrics";

/** What the app is to be started with: its limits are those of production. */
export const stuffingSettings = { TRUSTED_PROXIES: "127.0.0.0/8", METRICS_TOKEN };

interface Stuffing {
  baseUrl: () => string;
  /** In all, from so few addresses that each is throttled. */
  attempts: number;
  perSecond: number;
  addresses: number;
  /** Attempts that wait for their answers: a busy machine, which nobody asked to be quick, sheds what is above (503). */
  atOnceMax?: number;
  /** Of a right sign-in, where that is asked. */
  slowestMsMax?: number;
  seed: number;
}

const person = (n: number): { email: string; password: string } => ({
  email: `person-${n}@stuffing.example`,
  password: `the right passphrase of ${n}`,
});
const home = (n: number): string => `203.0.113.${n + 1}`;

type Post = (path: string, address: string, body: unknown) => Promise<number>;

const posting =
  (pool: Pool): Post =>
  async (path, address, body) => {
    const response = await pool.request({
      method: "POST",
      path,
      headers: { "content-type": "application/json", "x-forwarded-for": address },
      body: JSON.stringify(body),
    });
    await response.body.dump();
    return response.statusCode;
  };

export function credentialStuffing(stuffing: Stuffing): void {
  const { baseUrl, attempts, perSecond, addresses, atOnceMax = Infinity, slowestMsMax, seed } = stuffing;
  const honestEvery = perSecond / HONEST_PER_SECOND;
  test(
    `who knows their password gets in while ${addresses} addresses try ${attempts} others, and telemetry says so (GROUNDWORK_STUFFING_SEED=${seed})`,
    async () => {
      const pool = new Pool(baseUrl(), { connections: 256 });
      onTestFinished(() => pool.close());
      const post = posting(pool);
      for (let n = 0; n < PEOPLE; n++)
        expect(await post("/auth/register", home(n), { ...person(n), organisation: `Of ${n}` })).toBe(200);
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
      let sent = 0;
      let honest = 0;
      while (sent < attempts) {
        const elapsedMs = performance.now() - startedAtMs;
        const due = Math.min(attempts, (elapsedMs / 1000) * perSecond);
        for (; sent < due && atOnce.size < atOnceMax; sent++) {
          // One in fifty of the list is somebody of ours, with a password of elsewhere.
          const email =
            sent % 50 === 0 ? person(random.integer(0, PEOPLE - 1)).email : `stolen-${sent}@stuffing.example`;
          const address = `198.51.100.${random.integer(1, addresses)}`;
          void note(wrong, post("/auth/login", address, { email, password: `stolen password ${sent}` }));
        }
        for (; honest < sent / honestEvery; honest++) {
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
        headers: { authorization: `Bearer ${METRICS_TOKEN}` },
      });
      const tookSeconds = (performance.now() - startedAtMs) / 1000;
      // Some are refused by the quota of their address, some by that of failed attempts: each is a series of its own.
      const series = [...(await metrics.body.text()).matchAll(/^limit\w*rejections\w*\{[^}]*\} (\d+)/gm)];
      const trips = series.reduce((sum, [, count]) => sum + Number(count), 0);
      tookMs.sort((a, b) => a - b);
      const slowestMs = Math.round(tookMs.at(-1) ?? Infinity);
      process.stdout.write(
        `credential stuffing: ${Math.round(sent / tookSeconds)}/s wrong ${JSON.stringify([...wrong])}, ` +
          `right ${JSON.stringify([...right])}, median ${Math.round(tookMs[tookMs.length >> 1] ?? 0)} ms, slowest ${slowestMs} ms, ` +
          `${trips} refusals in the metrics, seed ${seed}\n`,
      );
      expect([...right]).toEqual([[200, honest]]);
      expect([...wrong.keys()].filter((status) => ![401, 429, 503].includes(status))).toEqual([]);
      // Those that were looked at fit the quotas of the addresses, and what was looked at when they were used up.
      expect(wrong.get(401) ?? 0).toBeLessThanOrEqual(addresses * 20 * Math.ceil(tookSeconds / 60 + 1));
      expect(wrong.get(429)).toBeGreaterThan(attempts / 4);
      expect(trips).toBeGreaterThanOrEqual(wrong.get(429) ?? Infinity);
      if (slowestMsMax !== undefined) expect(slowestMs).toBeLessThan(slowestMsMax);
    },
    (attempts / perSecond) * 5_000 + 60_000,
  );
}
