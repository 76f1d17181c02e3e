// Deleting an account: who may, what ends at once, the way back, and what is left of the person afterwards.
import { auth } from "~encore/clients";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { verifyPage } from "../../audit/verify";
import { AppDB } from "../../database";
import { isOfNobody, readTables } from "../../db/__tests__/catalogue";
import { systemQuery } from "../../db/tenant";
import type { Role } from "../../security/permissions";
import { tenantIdFrom } from "../../security/principal";
import { restoreAccount } from "../account-deletion";
import { GRACE_DAYS } from "../organisation-life";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { purgeEnded } from "../upkeep";
import { as, identify } from "./callers";
import { mailedToken, mailsTo, verifyAddressOf } from "./mails";
import { here, newcomer, password, reason } from "./people";

const person = async (): Promise<Registered> => register(newcomer(), new Date());
const join = async (joining: Registered, id: string, role: Role): Promise<SignedIn> => {
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)", [
    id,
    joining.user.id,
    role,
  ]);
  return auth.switchTo({ organisationId: id }, await as(joining));
};
const purgeAtOf = async (table: "account" | "organisation", id: string): Promise<Date | null | undefined> =>
  (await systemQuery<{ at: Date | null }>("test", `select purge_at as at from auth.${table} where id = $1`, [id]))[0]
    ?.at;
const eventsAbout = async (id: string): Promise<string[]> =>
  (
    await systemQuery<{ type: string }>(
      "test",
      "select type from events.outbox where destination = 'event' and aggregate_type = 'user' and aggregate_id = $1 order by id",
      [id],
    )
  ).map(({ type }) => type);
const refusal = async (promise: Promise<unknown>): Promise<Record<string, unknown>> =>
  promise.then(
    () => ({}),
    (error: unknown) => (error as { details: Record<string, unknown> }).details,
  );
const sign = (email: string): Promise<SignedIn> => signIn({ email, password }, new Date(), here);
/** Lets the grace of an account be over. */
async function purged(id: string): Promise<void> {
  const past = "set purge_at = now() - interval '1 second'";
  await systemQuery("test", `update auth.account ${past} where id = $1 and purge_at is not null`, [id]);
  expect(await purgeEnded()).toMatchObject({ accounts: 1 });
}

describe("deleting an account", () => {
  test("asks for a fresh session, and is refused while the account is the last owner of others' organisation", async () => {
    const [ada, bob] = [await person(), await person()];
    const { id, name } = ada.organisation;
    await join(bob, id, "admin");
    const { authData } = await as(ada);
    const stale = { authData: { ...authData, authTime: String(Math.floor(Date.now() / 1000) - 601) } };
    expect(await reason(auth.deleteAccount(stale))).toBe("step_up_required");
    const refused = await refusal(auth.deleteAccount(await as(ada)));
    expect(refused).toMatchObject({ reason: "sole_owner", organisations: [name], organisationIds: [id] });
    expect(await purgeAtOf("account", ada.user.id)).toBeNull();
    expect(await purgeAtOf("organisation", id)).toBeNull();
    await auth.transferOrganisation({ id, userId: bob.user.id }, await as(ada));
    await auth.deleteAccount(await as(await sign(ada.user.email)));
    expect((await auth.listMembers({}, await as(await sign(bob.user.email)))).members).toHaveLength(1);
  });

  test("ends every sign-in and key, leaves others' organisations and closes those where it is alone", async () => {
    const [ada, bob] = [await person(), await person()];
    const there = await join(ada, bob.organisation.id, "admin");
    const { key } = await auth.createApiKey({ name: "ci" }, await as(there));
    const { purgeAt } = await auth.deleteAccount(await as(ada));
    expect((Date.parse(purgeAt) - Date.now()) / 86_400_000).toBeCloseTo(GRACE_DAYS, 1);
    for (const token of [ada.accessToken, there.accessToken, key])
      expect(await reason(identify(token))).toBe("invalid_token");
    for (const { refreshToken } of [ada, there])
      expect(await reason(refreshSession(refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect(await reason(sign(ada.user.email))).toBe("account_closing");
    expect(await reason(signIn({ email: ada.user.email, password: "wrong" }, new Date(), here))).toBe(
      "invalid_credentials",
    );
    expect(await reason(register({ ...newcomer(), email: ada.user.email }, new Date()))).toBe("email_taken");
    expect(await purgeAtOf("organisation", ada.organisation.id)).toEqual(new Date(purgeAt));
    expect(await purgeAtOf("organisation", bob.organisation.id)).toBeNull();
    const { members } = await auth.listMembers({}, await as(bob));
    expect(members.map(({ email }) => email)).toEqual([bob.user.email]);
    expect(await eventsAbout(ada.user.id)).toEqual(["auth.user.registered", "auth.user.deletion-scheduled"]);
  });

  test("is taken back by the mailed link, once; what the account was alone in can be restored", async () => {
    const ada = await person();
    await auth.deleteAccount(await as(ada));
    const token = await mailedToken(ada.user.email);
    expect((await mailsTo(ada.user.email))[0]?.subject).toBe("Your account was deleted");
    const wrong = `${token.startsWith("A") ? "B" : "A"}${token.slice(1)}`;
    expect(await reason(restoreAccount(wrong))).toBe("link_invalid");
    const outcomes = await Promise.all([1, 2, 3].map(() => reason(auth.restoreAccount({ token }))));
    expect(outcomes.toSorted()).toEqual(["link_invalid", "link_invalid", undefined]);
    expect(await reason(identify(ada.accessToken))).toBe("invalid_token");
    const back = await sign(ada.user.email);
    await auth.restoreOrganisation({ id: ada.organisation.id }, await as(back));
    expect((await auth.me(await as(await sign(ada.user.email)))).organisation?.id).toBe(ada.organisation.id);
    expect(await eventsAbout(ada.user.id)).toEqual([
      "auth.user.registered",
      "auth.user.deletion-scheduled",
      "auth.user.restored",
    ]);
  });

  test("whoever lost the link asks for a new password, and gets it again; nothing else ends the grace", async () => {
    const ada = await person();
    await auth.forgotPassword({ email: ada.user.email });
    const reset = await mailedToken(ada.user.email);
    await auth.deleteAccount(await as(ada));
    const first = await mailedToken(ada.user.email);
    expect(await reason(auth.resetPassword({ token: reset, password: "another fine passphrase" }))).toBe(
      "link_invalid",
    );
    await auth.forgotPassword({ email: ada.user.email });
    const again = await mailedToken(ada.user.email);
    expect(again).not.toBe(first);
    expect(await reason(auth.restoreAccount({ token: first }))).toBe("link_invalid");
    expect(await purgeEnded()).toMatchObject({ accounts: 0 });
    await auth.restoreAccount({ token: again });
    expect((await sign(ada.user.email)).user.id).toBe(ada.user.id);
  });

  test("the way back to an earlier address takes a thief's deletion back too", async () => {
    const ada = await person();
    await verifyAddressOf(ada.user);
    const { email } = newcomer();
    await auth.changeEmail({ email }, await as(ada));
    await auth.confirmEmail({ token: await mailedToken(email) });
    const revert = await mailedToken(ada.user.email);
    await auth.deleteAccount(await as(ada));
    const restore = await mailedToken(email);
    expect(restore).not.toBe("");
    await auth.revertEmail({ token: revert });
    expect(await purgeAtOf("account", ada.user.id)).toBeNull();
    expect(await reason(auth.restoreAccount({ token: restore }))).toBe("link_invalid");
  });

  test("an organisation that is closing already stays the last owner's to restore, and nobody else's member stays", async () => {
    const [ada, bob] = [await person(), await person()];
    await join(bob, ada.organisation.id, "owner");
    await auth.deleteOrganisation({ id: ada.organisation.id }, await as(ada));
    await auth.deleteAccount(await as(await sign(ada.user.email)));
    const caller = await as(await sign(bob.user.email));
    await auth.restoreOrganisation({ id: ada.organisation.id }, caller);
    const there = await auth.switchTo({ organisationId: ada.organisation.id }, caller);
    const { members } = await auth.listMembers({}, await as(there));
    expect(members.map(({ email }) => email)).toEqual([bob.user.email]);
  });
});

/** What may still name the person's id, and why. Nothing may name their address. */
const STAYS: Record<string, string> = {
  "audit.entry": "who did what must be provable, by an id that names nobody any more; AUDIT_KEEP_DAYS",
  "auth.revocation": "while access tokens of before could be shown",
  "events.outbox": "what was said stays while it can be replayed, by ids; events' retention",
  "events.outbox_aggregate": "while something of it is unpublished",
  "queues.task": "whose job it was, by an id; a week after the job's end",
};

/** Tables of ours with a row that holds the text. */
async function tablesWith(text: string): Promise<string[]> {
  const client = new pg.Client(AppDB.connectionString);
  await client.connect();
  const tables = await readTables(client).finally(() => client.end());
  const found: string[] = [];
  for (const { name } of tables.filter(({ name, kind }) => (kind === "r" || kind === "p") && !isOfNobody(name))) {
    const sql = `select 1 from ${name} t where t::text like '%' || $1 || '%' limit 1`;
    if ((await systemQuery("test", sql, [text])).length > 0) found.push(name);
  }
  return found;
}

test("nothing tells of a person whose grace is over but ids; logs still hold, and the address can be registered again", async () => {
  const [ada, bob] = [await person(), await person()];
  const { id: accountId, email } = ada.user;
  await auth.verifyEmail({ token: await mailedToken(email) });
  await auth.inviteMember({ email, role: "admin" }, await as(bob));
  await auth.acceptInvitation({ token: await mailedToken(email) }, await as(ada));
  const there = await auth.switchTo({ organisationId: bob.organisation.id }, await as(ada));
  // Another organisation only ever asked.
  const carol = await as(await person());
  const { id: asked } = await auth.inviteMember({ email, role: "viewer" }, carol);
  await auth.revokeInvitation({ id: asked }, carol);
  await auth.createApiKey({ name: "ci" }, await as(there));
  await auth.inviteMember({ email: newcomer().email, role: "viewer" }, await as(there));
  await auth.beginTotp(await as(ada));
  await systemQuery(
    "test",
    "insert into auth.recovery_code (account_id, hash) values ($1, decode(repeat('ab', 32), 'hex'))",
    [accountId],
  );
  await systemQuery(
    "test",
    `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
     values (gen_random_uuid(), $1, decode('ab', 'hex'), decode('ab', 'hex'), 0, false, false, '{}', 'phone')`,
    [accountId],
  );
  await systemQuery(
    "test",
    `insert into auth.identity (id, account_id, provider, issuer, subject, email, how)
     values (gen_random_uuid(), $1, 'p', 'https://p.example', $2, $2, 'linked')`,
    [accountId, email],
  );
  const personal = ["auth.api_key", "auth.identity", "auth.invitation", "auth.membership", "auth.one_time_token"];
  const factors = ["auth.passkey", "auth.recovery_code", "auth.session", "auth.totp"];
  await auth.changeEmail({ email: newcomer().email }, await as(ada));
  expect(await tablesWith(accountId)).toEqual(expect.arrayContaining([...personal, ...factors]));
  expect(await tablesWith(email)).toEqual(
    expect.arrayContaining(["audit.entry", "auth.account", "auth.identity", "mail.message"]),
  );

  await auth.deleteAccount(await as(ada));
  await mailsTo(email);
  await purged(accountId);

  expect(await tablesWith(email)).toEqual([]);
  expect((await tablesWith(accountId)).filter((name) => !Object.hasOwn(STAYS, name))).toEqual([]);
  expect((await eventsAbout(accountId)).at(-1)).toBe("auth.user.deleted");
  const log = await verifyPage({ tenantId: tenantIdFrom(bob.organisation.id) });
  expect(log).toMatchObject({ isDone: true });
  expect(log.broken).toBeUndefined();
  expect((await register({ ...newcomer(), email }, new Date())).user.id).not.toBe(accountId);
});

test("a stranger's unverified account does not erase what logs tell of the address's true owner", async () => {
  const [ada, bob, mallory] = [newcomer(), await person(), await person()];
  await auth.inviteMember({ email: ada.email, role: "viewer" }, await as(bob));
  await systemQuery("test", "update auth.account set email = $2 where id = $1", [mallory.user.id, ada.email]);
  await auth.deleteAccount(await as(mallory));
  await purged(mallory.user.id);
  expect(await tablesWith(ada.email)).toEqual(expect.arrayContaining(["audit.entry", "auth.invitation"]));
});
