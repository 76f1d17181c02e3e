// Whatever ends sessions ends the one too that a switch is making at that moment: each way of ending comes when the switch has made
// its session and not committed it. On a server, where the two transactions meet.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { signOutHeld } from "../browser/accounts";
import { endSessionsByCommand } from "../operators/end-sessions";
import { endSessions } from "../session-end";
import { parseRefreshToken } from "../refresh-token";
import { register } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { as } from "./callers";
import { newcomer, password, reason } from "./people";
import { duringChange, inRounds, liveSessions, outcomes } from "./races";

const sessionOf = ({ refreshToken }: SignedIn): string => parseRefreshToken(refreshToken)?.sessionId ?? "";
const refresh = ({ refreshToken }: SignedIn): Promise<SignedIn> =>
  refreshSession(refreshToken, new Date(), "198.51.100.9");

/** A sign-in with as many sessions as it may have, whose first token was used long ago: another session removes its oldest one. */
async function fullSignIn(): Promise<SignedIn> {
  const { user, organisation } = await register(newcomer(), new Date());
  await systemQuery("test", "delete from auth.session where account_id = $1", [user.id]);
  const mine = await signIn({ email: user.email, password }, new Date(), "198.51.100.1");
  await refresh(mine);
  await systemQuery(
    "test",
    "update auth.session set rotated_at = array(select at - interval '1 hour' from unnest(rotated_at) at) where id = $1",
    [sessionOf(mine)],
  );
  await systemQuery(
    "test",
    `insert into auth.session (id, account_id, organisation_id, sign_in_id, created_at, expires_at, family_hash, secret_hash)
     select gen_random_uuid(), $1, $2, $3, now() - n * interval '1 hour', now() + interval '1 day', sha256('f'), sha256('s')
     from generate_series(1, 20) n`,
    [user.id, organisation.id, sessionOf(mine)],
  );
  return mine;
}

const endings: [string, (mine: SignedIn) => Promise<unknown>][] = [
  ["signed out", async (mine) => auth.logout({}, await as(mine))],
  ["signed out everywhere", async (mine) => auth.logout({ everywhere: true }, await as(mine))],
  ["ended in the list of devices", async (mine) => auth.endSession({ id: sessionOf(mine) }, await as(mine))],
  ["signed out of a browser", ({ user, refreshToken }) => signOutHeld([{ accountId: user.id, refreshToken }])],
  ["ended by command", ({ user }) => endSessionsByCommand(user.email)],
  ["ended by a replay of a token", async (mine) => expect(await reason(refresh(mine))).toBe("refresh_token_invalid")],
  ["ended with the account", async (mine) => auth.deleteAccount(await as(mine))],
];

describe("sessions", () => {
  test.each(endings)("%s leave none behind that a switch under way made", async (_how, end) => {
    const mine = await fullSignIn();
    const accountId = mine.user.id;
    const by = await as(mine);
    // Held, so that the switch, which has made its session, waits before its commit.
    await duringChange(
      async (tx) => {
        const oldest = "select 1 from auth.session where account_id = $1 order by created_at limit 1 for update";
        expect(await tx.query(oldest, [accountId])).toHaveLength(1);
      },
      () => auth.switchTo({ organisationId: mine.organisation?.id ?? "" }, by),
      () => end(mine),
    );
    expect(await liveSessions(accountId)).toBe(0);
  });

  test.each<[string, (by: Awaited<ReturnType<typeof as>>) => Promise<unknown>]>([
    ["their change of the account", async (by) => auth.changeEmail({ email: newcomer().email }, by)],
    ["the API key that they make", async (by) => auth.createApiKey({ name: "a way in" }, by)],
  ])("that are ended while %s waits for that change nothing", async (_what, act) => {
    const ada = await register(newcomer(), new Date());
    const { id: accountId } = ada.user;
    const by = await as(ada);
    let told: string | undefined;
    await duringChange(
      async (tx) => void (await endSessions(tx, { accountId, which: "all", signInOf: null, reason: "password_reset" })),
      async () => void (told = await reason(act(by))),
    );
    expect(told).toBe("invalid_token");
  });

  test("ended by who ends all others, at two devices at once, are not those of both", () =>
    inRounds(async () => {
      const ada = await register(newcomer(), new Date());
      const there = await signIn({ email: ada.user.email, password }, new Date(), "198.51.100.1");
      const callers = [await as(ada), await as(there)];
      const ended = await outcomes(callers.map((by) => () => auth.endOtherSessions(by)));
      expect(ended.toSorted()).toEqual(["invalid_token", undefined]);
      expect(await liveSessions(ada.user.id)).toBe(1);
    }));
});
