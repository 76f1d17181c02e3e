// Part of refresh.pg.test.ts and, in a short form, of sessions.test.ts: clients that refresh one token many times at once and lose
// answers, and an office behind one address. On the embedded database, which has one session, what they ask at once is done in turn.
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { randomFrom } from "../../security/__tests__/random";
import { reasonOf } from "../../security/errors";
import { type Limits, limits } from "../../security/limits";
import { familyOf } from "../refresh-family";
import { hashSecret, createRefreshToken, formatRefreshToken, type RefreshToken } from "../refresh-token";
import { register, type Registered } from "../registration";
import { refreshSession } from "../sessions";
import { count, here, newcomer, start } from "./people";

const ROUNDS = 2;
const AT_ONCE = 10;
/** That the neighbour brings: a few more than an address may fail with in a minute. */
const INVENTED_MIN = 75;

/** As a sign-in writes it: a thousand of them are a thousand password hashes. */
const insertSession = (person: Registered, { sessionId, family, secret }: RefreshToken): Promise<unknown> =>
  systemQuery(
    "test",
    `insert into auth.session (id, organisation_id, account_id, expires_at, family_hash, secret_hash)
     values ($1, $2, $3, now() + interval '1 day', $4, $5)`,
    [sessionId, person.organisation.id, person.user.id, hashSecret(family), hashSecret(secret)],
  );

interface Load {
  clients: number;
  /** Behind the one address. */
  sessions: number;
  /** More would only wait for connections: on the embedded database, which has one session, until they are given up. */
  clientsAtOnce: number;
  /** As they are in production: the suite's own are far wider. */
  limits: () => Limits;
}

export function refreshRaces(load: Load): void {
  const { clients: clientCount, sessions: sessionCount, clientsAtOnce, limits: realLimits } = load;
  const seed = Number(process.env.GROUNDWORK_REFRESH_SEED ?? 20_261_130);

  describe("refreshing under load", () => {
    test(`${clientCount} clients, each ${ROUNDS} times ${AT_ONCE} requests at once, every third answer lost: nobody is signed out (GROUNDWORK_REFRESH_SEED=${seed})`, async () => {
      const next = randomFrom(seed);
      const person = await register(newcomer(), start);
      const clients = Array.from({ length: clientCount }, () => createRefreshToken(crypto.randomUUID()));
      for (const token of clients) await insertSession(person, token);
      const sessions = (more = ""): Promise<number> =>
        count(`auth.session where account_id = '${person.user.id}' ${more}`);
      const outcome: string[] = [];
      const waiting = [...clients];
      const runClients = async (): Promise<void> => {
        for (let first = waiting.pop(); first !== undefined; first = waiting.pop())
          outcome.push(await runClient(first));
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
      await Promise.all(Array.from({ length: clientsAtOnce }, runClients));
      expect(outcome).toHaveLength(clientCount);
      expect(new Set(outcome), `seed ${seed}`).toEqual(new Set(["signed in"]));
      expect(await sessions("and revoked_at is not null")).toBe(0);
      expect(await sessions()).toBe(clientCount + 1);

      // After the grace whoever comes with a token that was used gives the theft away: all of them are caught.
      await systemQuery(
        "test",
        `update auth.session set rotated_at = array(select at - interval '1 minute' from unnest(rotated_at) with ordinality as r (at, n) order by n)
         where account_id = $1`,
        [person.user.id],
      );
      const replays: (string | undefined)[] = [];
      for (let at = 0; at < clientCount; at += clientsAtOnce)
        replays.push(
          ...(await Promise.all(
            clients
              .slice(at, at + clientsAtOnce)
              .map((first) => refreshSession(formatRefreshToken(first), start, here).then(() => "let in", reasonOf)),
          )),
        );
      expect(new Set(replays), `seed ${seed}`).toEqual(new Set(["refresh_token_invalid"]));
      expect(await sessions("and revoked_reason = 'token_reuse'")).toBe(clientCount);
    }, 300_000);
  });

  describe("an office behind one address", () => {
    afterEach(() => vi.restoreAllMocks());

    test(`${sessionCount} sessions refresh on time while a neighbour invents tokens: none is refused`, async () => {
      const office = "203.0.113.200";
      const real = realLimits();
      vi.spyOn(limits, "assertFewFailures").mockImplementation(real.assertFewFailures.bind(real));
      vi.spyOn(limits, "countFailure").mockImplementation(real.countFailure.bind(real));
      const person = await register(newcomer(), start);
      const tokens = Array.from({ length: sessionCount }, () => {
        const id = crypto.randomUUID();
        return createRefreshToken(id, familyOf(id));
      });
      for (const token of tokens) await insertSession(person, token);
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
      const inventedEvery = Math.max(1, Math.min(4, Math.floor(sessionCount / INVENTED_MIN)));
      const waiting = [...tokens];
      const runClient = async (): Promise<void> => {
        for (let token = waiting.pop(); token !== undefined; token = waiting.pop()) {
          if (waiting.length % inventedEvery === 0)
            invented.push(await refresh(formatRefreshToken(createRefreshToken(crypto.randomUUID()))));
          outcomes.push(await refresh(formatRefreshToken(token)));
        }
      };
      await Promise.all(Array.from({ length: clientsAtOnce }, runClient));
      expect(outcomes).toHaveLength(sessionCount);
      expect(outcomes.filter((outcome) => outcome !== "signed in")).toEqual([]);
      expect(invented).toContain("refresh_token_invalid");
      expect(invented).toContain("rate_limited");
    }, 300_000);
  });
}
