// Part of sessions.test.ts, whose database it shares: that each table of auth is kept in bounds.
import { auth } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { DbError } from "../../db/errors";
import { explaining } from "../../db/__tests__/explaining";
import { systemQuery, withSystem } from "../../db/tenant";
import { register, type Registered } from "../registration";
import { refreshSession } from "../sessions";
import * as store from "../store/sessions";
import { keyRing } from "../tokens";
import { purgeEnded } from "../upkeep";
import { count, here, newcomer, reason, start } from "./people";

const budget = { statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 1000 };

/** Sessions that ended eight days ago, or so many days from then. */
async function endedSessions({ organisation, user }: Registered, many: number, days = -8): Promise<void> {
  await systemQuery(
    "test",
    `insert into auth.session (id, organisation_id, account_id, created_at, expires_at, family_hash, secret_hash)
     select gen_random_uuid(), $1, $2, now() - interval '40 days', now() + make_interval(days => $4), sha256('f'), sha256('s')
     from generate_series(1, $3::int)`,
    [organisation.id, user.id, many, days],
  );
}

export function upkeep(): void {
  describe("what is over", () => {
    test("is removed a week after its end, whichever way it ended, and nothing else is", async () => {
      // Where all files share one database, what others left to expire goes first.
      await purgeEnded();
      const person = await register(newcomer(), start);
      await endedSessions(person, 3);
      await endedSessions(person, 2, -6);
      // Of today: made at `start` it would be one that nobody ever confirmed or uses.
      const revoked = await register(newcomer(), new Date());
      await systemQuery(
        "test",
        `update auth.session set revoked_at = now() - interval '8 days', revoked_reason = 'logout',
                expires_at = now() - interval '8 days' where organisation_id = $1`,
        [revoked.organisation.id],
      );
      await systemQuery(
        "test",
        `insert into auth.signing_key (kid, algorithm, public_jwk, private_wrapped, published_at, signs_from, verify_until)
         values ('old', 'EdDSA', '{}', '', now() - interval '99 days', now() - interval '98 days', now() - interval '8 days')`,
      );
      await systemQuery(
        "test",
        `insert into auth.revocation (subject, expires_at)
         select 'x', now() + make_interval(secs => n) from unnest('{-1, -900, 60}'::int[]) n`,
      );
      await systemQuery(
        "test",
        `insert into auth.used_challenge (id, expires_at)
         select md5('upkeep' || n)::uuid, now() + make_interval(secs => n) from unnest('{-1, -900, 60}'::int[]) n`,
      );
      await systemQuery(
        "test",
        `with staff as (insert into auth.operator (id, email, permissions) values (gen_random_uuid(), 'staff@example.com', '{}') returning id)
         insert into auth.operator_session (id, operator_id, hash, expires_at)
         select gen_random_uuid(), id, sha256(n::text::bytea), now() + make_interval(secs => n) from staff, unnest('{-1, -900, 60}'::int[]) n`,
      );
      const before = await count("auth.session");
      const removed = await purgeEnded();
      expect(removed).toEqual({
        sessions: 4,
        signingKeys: 1,
        // Other files' may end this very moment; these live minutes only.
        revocations: expect.any(Number),
        apiKeys: 0,
        oneTimeTokens: 0,
        invitations: 0,
        operatorSessions: 2,
        usedChallenges: expect.any(Number),
        neverVerified: 0,
        organisations: 0,
        accounts: 0,
      });
      expect(Math.min(removed.revocations, removed.usedChallenges)).toBeGreaterThanOrEqual(2);
      expect(await count("auth.revocation where subject = 'x'")).toBe(1);
      expect(
        await count(
          "auth.used_challenge where id in (select md5('upkeep' || n)::uuid from unnest('{-1, -900, 60}'::int[]) n)",
        ),
      ).toBe(1);
      expect(await count("auth.session")).toBe(before - 4);
      expect(await count("auth.signing_key where kid = 'old'")).toBe(0);
      expect(await count("auth.signing_key where verify_until is null")).toBeGreaterThan(0);
      expect(await refreshSession(person.refreshToken, start, here)).toBeDefined();
      expect(await reason(refreshSession(revoked.refreshToken, start, here))).toBe("refresh_token_invalid");
    });

    // At which rate is seen in refresh.pg.test.ts.
    test("is removed in batches, by index", async () => {
      const person = await register(newcomer(), start);
      await endedSessions(person, 3_500);
      const batches = vi.spyOn(store, "sessionDeleteEnded");
      expect((await purgeEnded()).sessions).toBe(3_500);
      expect(batches).toHaveBeenCalledTimes(4);
      batches.mockRestore();
      const plans = await withSystem("test", async (tx) => {
        // Of a table as small as this one reading it whole is cheaper: asked is whether the statement can go by the index.
        await tx.execute("set local enable_seqscan = off");
        const explained = explaining(tx);
        await store.sessionDeleteEnded(explained.tx, 7, 1000);
        return explained.plans;
      });
      expect(plans).toEqual([expect.stringContaining("session_expiry")]);
    });

    test("is removed in smaller batches when one takes too long, and what is done stays done", async () => {
      const person = await register(newcomer(), start);
      await endedSessions(person, 1_200);
      const remove = store.sessionDeleteEnded;
      const asked: number[] = [];
      const slow = vi.spyOn(store, "sessionDeleteEnded").mockImplementation((tx, days, limit) => {
        asked.push(limit);
        if (limit > 300) throw new DbError("statement_timeout", "canceling statement due to statement timeout");
        return remove(tx, days, limit);
      });
      expect((await purgeEnded(budget)).sessions).toBe(1_200);
      slow.mockRestore();
      expect(asked.slice(0, 3)).toEqual([1000, 500, 250]);
    });

    test("is left to the next run when its time is used up, and told of when not even a few can be removed", async () => {
      const person = await register(newcomer(), start);
      await endedSessions(person, 1_500);
      expect((await purgeEnded({ ...budget, totalMs: 0 })).sessions).toBe(1_000);
      const broken = vi.spyOn(store, "sessionDeleteEnded").mockImplementation(() => {
        throw new DbError("statement_timeout", "canceling statement due to statement timeout");
      });
      await expect(purgeEnded(budget)).rejects.toMatchObject({ kind: "statement_timeout" });
      broken.mockRestore();
      expect((await purgeEnded(budget)).sessions).toBe(500);
    });
  });

  describe("the hourly upkeep", () => {
    const aged = (days: number): Promise<unknown> =>
      systemQuery(
        "test",
        "update auth.signing_key set published_at = now() - make_interval(days => $1), signs_from = now() - make_interval(days => $1) where signs_from <= now()",
        [days],
      );

    test("makes another signing key when the present one is older than 90 days", async () => {
      await keyRing.signer();
      await aged(89);
      const before = await count("auth.signing_key");
      await auth.maintain();
      expect(await count("auth.signing_key")).toBe(before);
      await aged(91);
      await auth.maintain();
      expect(await count("auth.signing_key")).toBe(before + 1);
    });

    test("tells of a step that fails when those behind it are done", async () => {
      const person = await register(newcomer(), start);
      await endedSessions(person, 3);
      const broken = vi.spyOn(keyRing, "rotate").mockRejectedValue(new Error("no key could be made"));
      await expect(auth.maintain()).rejects.toThrow();
      expect(broken).toHaveBeenCalledOnce();
      broken.mockRestore();
      expect(await count(`auth.session where account_id = '${person.user.id}' and expires_at < now()`)).toBe(0);
    });
  });
}
