// Refreshing with real concurrency: part of `npm run test:pg`. The embedded database has one session and cannot race.
// GROUNDWORK_REFRESH_CLIENTS=1000 is the full form.
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { randomFrom } from "../../security/__tests__/random";
import { reasonOf } from "../../security/errors";
import { Limits, limits } from "../../security/limits";
import { familyOf } from "../refresh-family";
import { hashSecret, createRefreshToken, formatRefreshToken } from "../refresh-token";
import { register } from "../registration";
import { refreshSession } from "../sessions";
import { purgeEnded } from "../upkeep";
import { count, here, newcomer, start } from "./people";

const CLIENTS = Number(process.env.GROUNDWORK_REFRESH_CLIENTS ?? 300);
const ROUNDS = 2;
/** Clients at once: more would only wait for connections. */
const CLIENTS_AT_ONCE = 25;
const AT_ONCE = 10;

describe("refreshing under load", () => {
  test(`${CLIENTS} clients, each ${ROUNDS} times ${AT_ONCE} requests at once, every third answer lost: nobody is signed out`, async () => {
    const seed = Number(process.env.SEED ?? Date.now());
    const next = randomFrom(seed);
    const person = await register(newcomer(), start);
    const clients = Array.from({ length: CLIENTS }, () => createRefreshToken(crypto.randomUUID()));
    for (const token of clients)
      await systemQuery(
        "test",
        `insert into auth.session (id, organisation_id, account_id, expires_at, family_hash, secret_hash)
         values ($1, $2, $3, now() + interval '1 day', $4, $5)`,
        [token.sessionId, person.organisation.id, person.user.id, hashSecret(token.family), hashSecret(token.secret)],
      );
    const outcome: string[] = [];
    const waiting = [...clients];
    const runClients = async (): Promise<void> => {
      for (let first = waiting.pop(); first !== undefined; first = waiting.pop()) outcome.push(await runClient(first));
    };
    const runClient = async (first: (typeof clients)[number]): Promise<string> => {
      let token = formatRefreshToken(first);
      for (let round = 0; round < ROUNDS; round++) {
        const answers = await Promise.all(
          Array.from({ length: AT_ONCE }, () => refreshSession(token, start, here).catch((error: unknown) => error)),
        );
        const refused = answers.filter((answer) => answer instanceof Error).map(reasonOf);
        if (refused.length > 0) return refused.join();
        const successors = new Set(answers.map((answer) => (answer as { refreshToken: string }).refreshToken));
        if (successors.size !== 1) return `${successors.size} successors`;
        // A client whose answers were all lost goes on with the token it has.
        const received = [...successors].filter(() => next() > 1 / 3);
        token = received[0] ?? token;
      }
      return "signed in";
    };
    await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, runClients));
    expect(outcome).toHaveLength(CLIENTS);
    expect(new Set(outcome), `seed ${seed}`).toEqual(new Set(["signed in"]));
    expect(await count("auth.session where revoked_at is not null")).toBe(0);
    expect(await count(`auth.session where account_id = '${person.user.id}'`)).toBe(CLIENTS + 1);

    // After the grace whoever comes with a token that was used gives the theft away: all of them are caught.
    await systemQuery(
      "test",
      `update auth.session set rotated_at = array(select at - interval '1 minute' from unnest(rotated_at) with ordinality as r (at, n) order by n)
       where account_id = $1`,
      [person.user.id],
    );
    const replays: (string | undefined)[] = [];
    for (let at = 0; at < CLIENTS; at += CLIENTS_AT_ONCE)
      replays.push(
        ...(await Promise.all(
          clients
            .slice(at, at + CLIENTS_AT_ONCE)
            .map((first) => refreshSession(formatRefreshToken(first), start, here).then(() => "let in", reasonOf)),
        )),
      );
    expect(new Set(replays), `seed ${seed}`).toEqual(new Set(["refresh_token_invalid"]));
    expect(await count("auth.session where revoked_reason = 'token_reuse'")).toBe(CLIENTS);
  }, 300_000);
});

describe("an office behind one address", () => {
  const SESSIONS = 2 * CLIENTS;
  afterEach(() => vi.restoreAllMocks());

  test(`${SESSIONS} sessions refresh on time while a neighbour invents tokens: none is refused`, async () => {
    const office = "203.0.113.200";
    // The limits as they are in production: the suite's own are far wider.
    const real = new Limits({ scale: 1 });
    vi.spyOn(limits, "assertFewFailures").mockImplementation(real.assertFewFailures.bind(real));
    vi.spyOn(limits, "countFailure").mockImplementation(real.countFailure.bind(real));
    const person = await register(newcomer(), start);
    const tokens = Array.from({ length: SESSIONS }, () => {
      const id = crypto.randomUUID();
      return createRefreshToken(id, familyOf(id));
    });
    for (const token of tokens)
      await systemQuery(
        "test",
        `insert into auth.session (id, organisation_id, account_id, expires_at, family_hash, secret_hash)
         values ($1, $2, $3, now() + interval '1 day', $4, $5)`,
        [token.sessionId, person.organisation.id, person.user.id, hashSecret(token.family), hashSecret(token.secret)],
      );
    // As the guard and the endpoint do for each request.
    const refresh = async (text: string): Promise<string> => {
      try {
        await real.consumeCaller("refresh", { ip: office });
        await refreshSession(text, start, office);
        return "signed in";
      } catch (error) {
        return reasonOf(error) ?? String(error);
      }
    };
    const invented: string[] = [];
    const outcomes: string[] = [];
    const waiting = [...tokens];
    const runClient = async (): Promise<void> => {
      for (let token = waiting.pop(); token !== undefined; token = waiting.pop()) {
        if (waiting.length % 4 === 0)
          invented.push(await refresh(formatRefreshToken(createRefreshToken(crypto.randomUUID()))));
        outcomes.push(await refresh(formatRefreshToken(token)));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, runClient));
    expect(outcomes).toHaveLength(SESSIONS);
    expect(outcomes.filter((outcome) => outcome !== "signed in")).toEqual([]);
    expect(invented).toContain("refresh_token_invalid");
    expect(invented).toContain("rate_limited");
  }, 300_000);
});

describe("upkeep", () => {
  // Sign-in costs 40 ms of a core: fifty a second from two cores, 180,000 an hour, at the very most. An hour of
  // upkeep has ten minutes; at ten times that rate it must remove 3,000 a second. How fast a machine is, no test says.
  test("one run removes fifty thousand sessions that ended, and prints how fast", async () => {
    const { organisation, user } = await register(newcomer(), start);
    await systemQuery(
      "test",
      `insert into auth.session (id, organisation_id, account_id, created_at, expires_at, family_hash, secret_hash)
       select gen_random_uuid(), $1, $2, now() - interval '40 days', now() - interval '8 days', sha256('f'), sha256('s')
       from generate_series(1, 50000)`,
      [organisation.id, user.id],
      { statementTimeoutMs: 240_000 },
    );
    const startedAtMs = performance.now();
    expect((await purgeEnded()).sessions).toBe(50_000);
    process.stdout.write(
      `upkeep of sessions: ${Math.round(50_000 / ((performance.now() - startedAtMs) / 1000))} rows/s, 3,000 are needed at ten times the most that anybody can sign in\n`,
    );
  });
});
