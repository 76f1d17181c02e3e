// The removal of accounts that nobody confirmed, against what its owner does at that very moment, and against many of them at once.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery, withSystem, type Tx } from "../../db/tenant";
import { declaredExports } from "../../db/tenant-export";
import { BEFORE_EVERYTHING } from "../../db/upkeep-walk";
import { neverVerified } from "../never-verified";
import { register, type Registered } from "../registration";
import { openSession, signIn } from "../sessions";
import { purgeEnded } from "../upkeep";
import { mailedToken } from "./mails";
import { ageAccount, count, here, newcomer, password, reason } from "./people";
import { duringChange, inRounds, liveSessions, whileUncommitted } from "./races";

/**
 * Ten times as many as an installation registers in six minutes that registers ten thousand a day, none of which is ever confirmed.
 * The hour, behind 100,000 that are used: GROUNDWORK_NEVER_VERIFIED=4000 npm run test:pg -- auth/__tests__/never-verified.pg.test.ts
 */
const NEVER = Number(process.env.GROUNDWORK_NEVER_VERIFIED ?? 400);
const USED = 25 * NEVER;
/** A run has ten minutes for the hour. */
const RUN_SECONDS = (600 * NEVER) / 4_000;

const forgotten = async (): Promise<Registered> => {
  const ada = await register(newcomer(), new Date());
  await mailedToken(ada.user.email);
  await ageAccount(ada, 31);
  return ada;
};
async function purgeIn(tx: Tx): Promise<void> {
  const { list, remove } = neverVerified(declaredExports().exported.filter((table) => table.isFromTheStart !== true));
  await remove(tx, (await list(tx, BEFORE_EVERYTHING, 1_000)).things);
}
const purge = (): Promise<unknown> => withSystem("test", purgeIn);
const isThere = async ({ user }: Registered): Promise<boolean> =>
  (await count(`auth.account where id = '${user.id}'`)) === 1;

describe("an account that is due when its owner comes after all", () => {
  test("is gone for who signs in behind the removal, and nothing is left of the sign-in", () =>
    inRounds(async () => {
      const ada = await forgotten();
      const late = await duringChange(purgeIn, () =>
        reason(signIn({ email: ada.user.email, password }, new Date(), here)),
      );
      expect(late).toEqual(["invalid_credentials"]);
      expect([await isThere(ada), await liveSessions(ada.user.id)]).toEqual([false, 0]);
    }));

  test("stays for who signed in a moment before", () =>
    inRounds(async () => {
      const ada = await forgotten();
      const member = { accountId: ada.user.id, email: ada.user.email, organisation: null };
      await whileUncommitted(
        async (tx) => void (await openSession(tx, member, null, ["pwd"])),
        async () => void (await purge()),
      );
      await purge();
      expect([await isThere(ada), await liveSessions(ada.user.id)]).toEqual([true, 1]);
    }));

  test("is gone for who confirms behind the removal", () =>
    inRounds(async () => {
      const ada = await register(newcomer(), new Date());
      const token = await mailedToken(ada.user.email);
      await ageAccount(ada, 31);
      const late = await duringChange(purgeIn, () => reason(auth.verifyEmail({ token })));
      expect(late).toEqual(["link_invalid"]);
      expect(await isThere(ada)).toBe(false);
    }));

  test("can register again while the removal is under way", () =>
    inRounds(async () => {
      const ada = await forgotten();
      const again = { ...newcomer(), email: ada.user.email };
      const [late] = await duringChange(purgeIn, () => register(again, new Date()));
      expect(late?.user.email).toBe(ada.user.email);
    }));
});

test(
  `ten times what registers meanwhile, each with its organisation, goes well within one run (${NEVER})`,
  { timeout: 300_000 },
  async () => {
    await purgeEnded();
    // Before all of those: a hundred thousand that wait as long and are used, in an installation that sends no mails.
    await systemQuery(
      "test",
      `with person as (
         insert into auth.account (id, email, waits_since)
         select gen_random_uuid(), gen_random_uuid() || '@used.test', now() - interval '32 days' from generate_series(1, $1::int)
         returning id
       ), place as (insert into auth.organisation (id, name) select id, 'Used' from person),
       member as (insert into auth.membership (tenant_id, account_id, role) select id, id, 'owner' from person)
       insert into auth.invitation (id, tenant_id, email, role, hash, invited_by, expires_at)
       select id, id, 'used@example.com', 'viewer', sha256(id::text::bytea), id, now() + interval '90 days' from person`,
      [USED],
      { statementTimeoutMs: 120_000 },
    );
    await systemQuery("test", "analyze auth.account, auth.membership, auth.organisation, auth.invitation", []);
    await systemQuery(
      "test",
      `with person as (
       insert into auth.account (id, email, waits_since) select gen_random_uuid(), gen_random_uuid() || '@never.test', now() - interval '31 days'
       from generate_series(1, $1::int) returning id
     ), place as (insert into auth.organisation (id, name) select id, 'Never' from person)
     insert into auth.membership (tenant_id, account_id, role) select id, id, 'owner' from person`,
      [NEVER],
      { statementTimeoutMs: 60_000 },
    );
    const beganAt = performance.now();
    const removed = await purgeEnded();
    const seconds = (performance.now() - beganAt) / 1_000;
    process.stdout.write(`auth.account (never verified): ${Math.round(NEVER / seconds)} a second\n`);
    expect([removed.neverVerified, removed.organisations]).toEqual([NEVER, NEVER]);
    expect(seconds).toBeLessThan(RUN_SECONDS);
    expect(await count("auth.account where email like '%@used.test'")).toBe(USED);
  },
);
