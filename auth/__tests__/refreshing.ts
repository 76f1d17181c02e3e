// Part of sessions.test.ts, whose database it shares.
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import { REUSE_GRACE_MS } from "../refresh-token";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import * as store from "../store/sessions";
import { readAccessToken } from "../tokens";
import { count, DAY_MS, here, later, newcomer, reason, start } from "./people";

export function refreshing(): void {
  describe("refreshing", () => {
    afterEach(() => vi.restoreAllMocks());

    const newSession = (): Promise<Registered> => register(newcomer(), start);
    const refresh = (token: string): Promise<SignedIn> => refreshSession(token, start, here);

    /** Makes everything that happened in this organisation's sessions that much longer ago. */
    const age = async ({ organisation }: Registered, ms: number): Promise<void> => {
      await systemQuery(
        "test",
        `update auth.session set expires_at = expires_at - make_interval(secs => $2),
              rotated_at = array(select at - make_interval(secs => $2)
                                 from unnest(rotated_at) with ordinality as rotation (at, n) order by n)
       where organisation_id = $1`,
        [organisation.id, ms / 1000],
      );
    };
    const rowsOf = ({ organisation }: Registered): Promise<number> =>
      count(`auth.session where organisation_id = '${organisation.id}'`);

    test("gives new tokens of the same session and uses the old one up", async () => {
      const first = await newSession();
      const second = await refresh(first.refreshToken);
      expect(second.refreshToken).not.toBe(first.refreshToken);
      expect(second).toMatchObject({ user: first.user, organisation: first.organisation });
      const [one, two] = [
        await readAccessToken(first.accessToken, start),
        await readAccessToken(second.accessToken, start),
      ];
      expect(two.sessionId).toBe(one.sessionId);
    });

    test("is one row however often it happens", async () => {
      const first = await newSession();
      let last: SignedIn = first;
      for (let i = 0; i < 20; i++) {
        last = await refresh(last.refreshToken);
        await age(first, 900_000);
      }
      expect(await rowsOf(first)).toBe(1);
      const [row] = await systemQuery<{ generation: number; bytes: number }>(
        "test",
        "select generation, pg_column_size(s.*) as bytes from auth.session s where organisation_id = $1",
        [first.organisation.id],
      );
      expect(row?.generation).toBe(20);
      expect(row?.bytes).toBeLessThan(500);
    });

    test("ten times at once with one token: all get the same next one, and it is good", async () => {
      const { refreshToken } = await newSession();
      const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(refreshToken)));
      const [next, ...others] = [...new Set(answers.map((answer) => answer.refreshToken))];
      expect(others).toEqual([]);
      expect(next).not.toBe(refreshToken);
      expect(await refresh(next ?? "")).toBeDefined();
    });

    // The client that never got its answer has only the old token.
    test("again after a lost answer gives the answer again, whoever asks which replica, whatever the clocks", async () => {
      const first = await newSession();
      const lost = await refresh(first.refreshToken);
      await age(first, REUSE_GRACE_MS - 5_000);
      const again = await refreshSession(first.refreshToken, later(-3_600_000), here);
      expect(again.refreshToken).toBe(lost.refreshToken);
      expect(await refreshSession(again.refreshToken, later(3_600_000), here)).toBeDefined();
    });

    test("with a token that others of the client's requests have overtaken ends nothing", async () => {
      const first = await newSession();
      const second = await refresh(first.refreshToken);
      const third = await refresh(second.refreshToken);
      expect(await reason(refresh(first.refreshToken))).toBe("refresh_superseded");
      expect(await refresh(third.refreshToken)).toBeDefined();
    });

    // A thief who copied a token uses it, or its owner does; whoever comes second gives the theft away.
    test("with a token that was used before ends the whole session, for thief and owner", async () => {
      const owner = await newSession();
      const thief = await refresh(owner.refreshToken);
      await age(owner, REUSE_GRACE_MS + 1_000);
      expect(await reason(refresh(owner.refreshToken))).toBe("refresh_token_invalid");
      expect(await reason(refresh(thief.refreshToken))).toBe("refresh_token_invalid");
      const [session] = await systemQuery<{ reason: string }>(
        "test",
        "select revoked_reason as reason from auth.session where organisation_id = $1",
        [owner.organisation.id],
      );
      expect(session?.reason).toBe("token_reuse");
    });

    // A thief who refreshes all the time must not keep the owner's old token within somebody's grace for ever.
    test("by a thief without pause does not hide the theft", async () => {
      const owner = await newSession();
      let thief = await refresh(owner.refreshToken);
      await age(owner, REUSE_GRACE_MS + 1_000);
      for (let i = 0; i < 3; i++) thief = await refresh(thief.refreshToken);
      expect(await reason(refresh(owner.refreshToken))).toBe("refresh_token_invalid");
      expect(await reason(refresh(thief.refreshToken))).toBe("refresh_token_invalid");
    });

    test("does not end other sessions of the same person", async () => {
      const person = newcomer();
      const [phone, laptop] = [await register(person, start), await signIn(person, start, here)];
      await refresh(phone.refreshToken);
      await age(phone, 60_000);
      expect(await reason(refresh(phone.refreshToken))).toBe("refresh_token_invalid");
      expect(await refresh(laptop.refreshToken)).toBeDefined();
    });

    test("ends with the session: after 30 days, however often it was refreshed", async () => {
      const first = await newSession();
      await age(first, 29 * DAY_MS);
      const second = await refresh(first.refreshToken);
      await age(first, DAY_MS);
      expect(await reason(refresh(second.refreshToken))).toBe("refresh_token_invalid");
    });

    test("with an invented token of a session that exists ends nothing", async () => {
      const first = await newSession();
      const invented = Buffer.from(first.refreshToken, "base64url");
      invented.fill(7, 20);
      expect(await reason(refresh(invented.toString("base64url")))).toBe("refresh_token_invalid");
      expect(await refresh(first.refreshToken)).toBeDefined();
    });

    test.each(["x", "", "a\u0000b", "y".repeat(512), "A".repeat(91)])(
      "with what is no token (%#) answers as with an ended one",
      async (token) => {
        expect(await reason(refresh(token))).toBe("refresh_token_invalid");
      },
    );

    test("with invented tokens shuts the address to more of them, before the database, and to nobody's own", async () => {
      const strict = new Limits({ scale: 0.05 }); // three
      vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
      vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
      const looked = vi.spyOn(store, "sessionFindForUpdate");
      const { refreshToken } = await newSession();
      const outcomes: (string | undefined)[] = [];
      for (let i = 0; i < 4; i++) outcomes.push(await reason(refreshSession("A".repeat(91), start, "192.0.2.66")));
      expect(outcomes).toEqual([...Array<string>(3).fill("refresh_token_invalid"), "rate_limited"]);
      expect(looked).toHaveBeenCalledTimes(3);
      // In an office somebody else's program does not sign everybody out.
      const renewed = await refreshSession(refreshToken, start, "192.0.2.66");
      expect(await refreshSession(renewed.refreshToken, start, "192.0.2.66")).toBeDefined();
      // Nor does a sibling session, and a token with another family than ours is an invented one.
      const forged = Buffer.from(refreshToken, "base64url");
      forged[20] = (forged[20] ?? 0) ^ 1;
      expect(await reason(refreshSession(forged.toString("base64url"), start, "192.0.2.66"))).toBe("rate_limited");
    });

    test("of two thousand sessions behind one address within a moment is within the limit", () => {
      const office = new Limits({ scale: 1 });
      for (let i = 0; i < 2_000; i++) expect(office.consumeCaller("refresh", { ip: "203.0.113.200" })).toBeUndefined();
    });
  });
}
