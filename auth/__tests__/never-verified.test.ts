// Accounts that nobody ever showed to be theirs: gone when nobody uses them, and nobody loses what they use.
import { auth, records } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { explaining } from "../../db/__tests__/explaining";
import { newId } from "../../db/ids";
import * as exports from "../../db/tenant-export";
import { declaredExports } from "../../db/tenant-export";
import { BEFORE_EVERYTHING } from "../../db/upkeep-walk";
import { systemQuery, withSystem } from "../../db/tenant";
import { NEVER_VERIFIED_KEEP_DAYS, purgeNeverVerified } from "../never-verified";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import * as store from "../store/account-life";
import { purgeEnded } from "../upkeep";
import { as } from "./callers";
import { mailedToken, verifyAddressOf } from "./mails";
import { ageAccount as age, count, here, newcomer, password } from "./people";

const FROM_THE_START = ["audit.entry", "auth.membership", "auth.organisation"];
const exists = async ({ user }: Pick<Registered, "user">): Promise<boolean> =>
  (await count(`auth.account where id = '${user.id}'`)) === 1;
const person = (): Promise<Registered> => register(newcomer(), new Date());

describe("an account whose address nobody confirmed", () => {
  test("goes after thirty days without use, with the organisation it made, and its address is free again", async () => {
    const wanted = newcomer();
    const [gone, young] = [await register(wanted, new Date()), await person()];
    await age(gone, NEVER_VERIFIED_KEEP_DAYS + 1);
    await age(young, NEVER_VERIFIED_KEEP_DAYS - 1);
    const removed = await purgeEnded();
    expect(removed.neverVerified).toBeGreaterThanOrEqual(1);
    expect(removed.organisations).toBeGreaterThanOrEqual(1);
    expect([await exists(gone), await exists(young)]).toEqual([false, true]);
    expect(await count(`auth.organisation where id = '${gone.organisation.id}'`)).toBe(0);
    const told = await systemQuery<{ type: string }>(
      "test",
      "select type from events.outbox where aggregate_id = any($1) and type like '%.deleted' order by type",
      [[gone.user.id, gone.organisation.id]],
    );
    expect(told.map(({ type }) => type)).toEqual(["auth.organisation.deleted", "auth.user.deleted"]);
    expect((await register(wanted, new Date())).user.email).toBe(wanted.email);
  });

  const uses: Record<string, (ada: Registered) => Promise<unknown>> = {
    "its address was confirmed": (ada) => verifyAddressOf(ada.user),
    "somebody else is in its organisation": async (ada) => {
      const bob = await person();
      await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'viewer')", [
        ada.organisation.id,
        bob.user.id,
      ]);
    },
    "its organisation has invited somebody": async (ada) =>
      auth.inviteMember({ email: newcomer().email, role: "viewer" }, await as(ada)),
    "its organisation has an API key": async (ada) => auth.createApiKey({ name: "ci" }, await as(ada)),
    "its organisation has records": async (ada) => records.createCategory({ name: "Tea" }, await as(ada)),
    "it has a passkey": (ada) =>
      systemQuery(
        "test",
        `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
         values (gen_random_uuid(), $1, $2, '\\x00', 0, false, false, '{}', 'key')`,
        [ada.user.id, Buffer.from(ada.user.id)],
      ),
    "a provider knows it": (ada) =>
      systemQuery(
        "test",
        `insert into auth.identity (id, account_id, provider, issuer, subject, how)
         values (gen_random_uuid(), $1::uuid, 'test', 'https://id.example', $1::uuid::text, 'linked')`,
        [ada.user.id],
      ),
    "it is in an organisation of others": async (ada) => {
      const owner = await person();
      await auth.inviteMember({ email: ada.user.email, role: "viewer" }, await as(owner));
      await auth.acceptInvitation({ token: await mailedToken(ada.user.email) }, await as(ada));
      // As one that a version before let in.
      await systemQuery("test", "update auth.account set email_verified_at = null where id = $1", [ada.user.id]);
    },
  };
  test.each(Object.entries(uses))("stays when %s", async (_what, use) => {
    const ada = await person();
    await use(ada);
    await age(ada, 400);
    await purgeEnded();
    expect(await exists(ada)).toBe(true);
  });

  test.each([
    ["a sign-in of it lives", "expires_at = now() + interval '1 day'"],
    ["a sign-in of it ended six days ago", "expires_at = now() - interval '6 days'"],
    [
      "its person signed out six days ago",
      "revoked_at = now() - interval '6 days', revoked_reason = 'logout', expires_at = now()",
    ],
  ])("stays when %s", async (_what, change) => {
    const ada = await person();
    await age(ada, 400);
    await signIn({ email: ada.user.email, password }, new Date(), here);
    await systemQuery("test", `update auth.session set ${change} where account_id = $1`, [ada.user.id]);
    await purgeEnded();
    expect(await exists(ada)).toBe(true);
  });

  test("stays when somebody signs in between the list and the lock", async () => {
    const ada = await person();
    await age(ada, 400);
    const list = store.accountListUnused;
    const listed = vi.spyOn(store, "accountListUnused").mockImplementationOnce(async (tx, ids, data) => {
      const found = await list(tx, ids, data);
      await tx.execute(
        `insert into auth.session (id, account_id, expires_at, family_hash, secret_hash)
         values (gen_random_uuid(), $1, now() + interval '1 hour', sha256('f'), sha256('s'))`,
        [ada.user.id],
      );
      return found;
    });
    await purgeNeverVerified({ statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 100 });
    expect(listed).toHaveBeenCalledTimes(2);
    listed.mockRestore();
    expect(await exists(ada)).toBe(true);
    expect((await signIn({ email: ada.user.email, password }, new Date(), here)).user).toEqual(ada.user);
  });

  test("is looked for by its index, one after another, and what it uses by the indexes of that", async () => {
    const { exported: data } = declaredExports();
    const ids = Array.from({ length: 50 }, () => newId());
    const plans = await withSystem("test", async (tx) => {
      await tx.execute("set local enable_seqscan = off");
      const explained = explaining(tx);
      await store.accountListWaiting(explained.tx, 30, BEFORE_EVERYTHING, 50);
      await store.accountListUnused(explained.tx, ids, data);
      return explained.plans;
    });
    expect(plans).toEqual([expect.stringContaining("account_never_verified"), expect.not.stringContaining("Seq Scan")]);
  });

  test("that nobody uses goes, however many stand before it that somebody uses: each run goes on where the one before ended", async () => {
    // What other tests left behind stands where it stands.
    const all = { statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 100 };
    await purgeNeverVerified(all);
    const kept: Registered[] = [];
    for (let n = 0; n < 3; n++) {
      const used = await person();
      await age(used, 900 - n);
      await signIn({ email: used.user.email, password }, new Date(), here);
      kept.push(used);
    }
    const unused = await person();
    await age(unused, 800);
    const short = { ...all, totalMs: -1, batchMax: 1 };
    for (let run = 0; run < 4; run++) await purgeNeverVerified(short);
    expect(await exists(unused)).toBe(false);
    for (const used of kept) expect(await exists(used)).toBe(true);
    await purgeNeverVerified(all);
  });

  test("is kept where a room is missing in the process, which may hold what it uses", async () => {
    const ada = await person();
    await age(ada, 400);
    const there = vi.spyOn(exports, "declaredExports").mockReturnValue({ ...declaredExports(), missing: ["vectors"] });
    expect(await purgeNeverVerified({ statementTimeoutMs: 10_000, totalMs: 60_000, batchMax: 100 })).toBe(0);
    there.mockRestore();
    expect(await exists(ada)).toBe(true);
  });

  test("counts what it was made with as no use, and nothing else", () => {
    const { exported } = declaredExports();
    const fromTheStart = exported.filter(({ isFromTheStart }) => isFromTheStart === true).map(({ name }) => name);
    expect(fromTheStart.sort()).toEqual(FROM_THE_START);
  });
});
