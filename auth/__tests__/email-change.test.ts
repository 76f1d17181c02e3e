// Another address for an account, and the way back for whoever lost it.
import { auth, queues } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { UnrecoverableJobError } from "../../queues/worker";
import { KEYS_TOLD_MAX } from "../api-keys";
import { PREPARED_DAYS, REVERT_SECONDS } from "../email-change";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import * as store from "../store/api-keys";
import { MAIL_MS_MAX } from "../../mail/transport";
import { mailJob, sendAccountMail } from "../jobs";
import { as, identify } from "./callers";
import { mailedToken, mailsTo, verifyAddressOf } from "./mails";
import { count, here, newcomer, password, reason } from "./people";

const person = async (): Promise<Registered> => {
  const ada = await register(newcomer(), new Date());
  await verifyAddressOf(ada.user);
  return ada;
};
const other = "another fine passphrase";
const emailOf = async (ada: Registered): Promise<unknown> =>
  (
    await systemQuery<{ email: string }>("account-of-the-caller", "select email from auth.account where id = $1", [
      ada.user.id,
    ])
  )[0]?.email;

/** Resolves with the new address and the token that takes it back. */
async function changed(ada: Registered): Promise<{ email: string; revert: string }> {
  const { email } = newcomer();
  await auth.changeEmail({ email }, await as(ada));
  await auth.confirmEmail({ token: await mailedToken(email) });
  return { email, revert: await mailedToken(ada.user.email) };
}

test("an address is changed by the link to the new one, which is verified by it; the old one is told", async () => {
  const ada = await person();
  const { email } = newcomer();
  await auth.changeEmail({ email: email.toUpperCase() }, await as(ada));
  expect(await emailOf(ada)).toBe(ada.user.email);
  const token = await mailedToken(email);
  const outcomes = await Promise.all([1, 2, 3].map(() => reason(auth.confirmEmail({ token }))));
  expect(outcomes.toSorted()).toEqual(["link_invalid", "link_invalid", undefined]);
  expect((await auth.me(await as(ada))).user).toEqual({ id: ada.user.id, email, emailVerified: true });
  expect(await reason(signIn({ email: ada.user.email, password }, new Date(), here))).toBe("invalid_credentials");
  expect((await signIn({ email, password }, new Date(), here)).user.id).toBe(ada.user.id);
  expect((await mailsTo(ada.user.email))[0]?.subject).toBe("Your e-mail address was changed");
});

test("asking needs a fresh session, and answers alike for an address that is somebody's, who is not mailed", async () => {
  const [ada, eve] = [await person(), await person()];
  const { authData } = await as(ada);
  const stale = { authData: { ...authData, authTime: String(Math.floor(Date.now() / 1000) - 601) } };
  expect(await reason(auth.changeEmail({ email: newcomer().email }, stale))).toBe("step_up_required");
  expect(await reason(auth.changeEmail({ email: "nobody" }, await as(ada)))).toBe("invalid_request");
  const before = (await mailsTo(eve.user.email)).length;
  expect(await auth.changeEmail({ email: eve.user.email }, await as(ada))).toBe(
    await auth.changeEmail({ email: newcomer().email }, await as(eve)),
  );
  expect(await mailsTo(eve.user.email)).toHaveLength(before);
  expect(await emailOf(ada)).toBe(ada.user.email);
});

test("an address that somebody registers before it is confirmed stays theirs", async () => {
  const ada = await person();
  const late = newcomer();
  await auth.changeEmail({ email: late.email }, await as(ada));
  const token = await mailedToken(late.email);
  await register(late, new Date());
  expect(await reason(auth.confirmEmail({ token }))).toBe("link_invalid");
  expect(await emailOf(ada)).toBe(ada.user.email);
});

test("the old address takes it back: sign-ins and password end, and a new password comes by mail", async () => {
  const ada = await person();
  const { email, revert } = await changed(ada);
  await auth.revertEmail({ token: revert });
  expect(await emailOf(ada)).toBe(ada.user.email);
  expect(await reason(identify(ada.accessToken))).toBe("invalid_token");
  for (const address of [email, ada.user.email])
    expect(await reason(signIn({ email: address, password }, new Date(), here))).toBe("invalid_credentials");
  expect(await reason(auth.revertEmail({ token: revert }))).toBe("link_invalid");
  await auth.forgotPassword({ email: ada.user.email });
  await auth.resetPassword({ token: await mailedToken(ada.user.email), password: other });
  expect((await signIn({ email: ada.user.email, password: other }, new Date(), here)).user.id).toBe(ada.user.id);
});

test("a thief takes the way back from nobody: by a second change, a password, or by registering the old address", async () => {
  const ada = await person();
  const { revert } = await changed(ada);
  await auth.changePassword({ current: password, password: other }, await as(ada));
  const { email: second } = newcomer();
  await auth.changeEmail({ email: second }, await as(ada));
  await auth.confirmEmail({ token: await mailedToken(second) });
  const taken = register({ ...newcomer(), email: ada.user.email }, new Date());
  expect(await reason(taken)).toBe("email_taken");
  const eve = await person();
  await auth.changeEmail({ email: ada.user.email }, await as(eve));
  // The newer mail to the old address replaces the token, and is good for the same.
  const tokens = [revert, ...(await mailsTo(ada.user.email)).map(({ token }) => token)].filter((text) => text !== "");
  const ended = [];
  for (const token of new Set(tokens)) {
    expect(await reason(auth.confirmEmail({ token }))).toBe("link_invalid");
    ended.push(await reason(auth.revertEmail({ token })));
  }
  expect(ended.filter((told) => told === undefined)).toHaveLength(1);
  expect(await emailOf(ada)).toBe(ada.user.email);
});

// The attack: register somebody's address, add what signs in, move the account away, and let its owner take it back.
test("an address that nobody had verified gives no way back: its owner is sent no link, and registers as if nothing was", async () => {
  const squatter = await register(newcomer(), new Date());
  const { email } = newcomer();
  await auth.changeEmail({ email }, await as(squatter));
  await auth.confirmEmail({ token: await mailedToken(email) });
  expect(await emailOf(squatter)).toBe(email);
  const mails = await mailsTo(squatter.user.email);
  expect(mails.map(({ subject }) => subject)).toEqual(["Confirm your e-mail address"]);
  expect(await reason(auth.verifyEmail({ token: mails[0]?.token ?? "" }))).toBe("link_invalid");
  const owner = await register({ ...newcomer(), email: squatter.user.email }, new Date());
  expect(owner.user.id).not.toBe(squatter.user.id);
});

test("a thief's address that takes no mail keeps no notice from the one before", async () => {
  const ada = await person();
  await changed(ada);
  await systemQuery("test", "update auth.account set email = 'thief of ' || email where id = $1", [ada.user.id]);
  const told = async (): Promise<number> =>
    (await mailsTo(ada.user.email)).filter(({ subject }) => subject === "Your password was changed").length;
  const before = await told();
  const notice = { kind: "password-changed", accountId: ada.user.id } as const;
  // Asks for a job for each address.
  await sendAccountMail(notice, null);
  await expect(told()).rejects.toThrow(UnrecoverableJobError);
  expect(await told()).toBe(before + 1);
  // Neither is sent again with the tries of the other.
  await expect(sendAccountMail({ ...notice, to: "account" }, null)).rejects.toThrow(UnrecoverableJobError);
  expect(await told()).toBe(before + 1);
});

test("a notice of an account whose address nobody takes back is one job, and none goes to an address of before", async () => {
  const ada = await person();
  const notice = { kind: "password-changed", accountId: ada.user.id } as const;
  await sendAccountMail(notice, null);
  await sendAccountMail({ ...notice, to: "before" }, null);
  const [first, second] = await mailsTo(ada.user.email);
  expect([first?.subject, second?.subject]).toEqual([
    "Your password was changed",
    expect.not.stringMatching(/password/),
  ]);
});

test("a link to another password that was mailed to the address of before opens nothing after the change", async () => {
  const ada = await person();
  await auth.forgotPassword({ email: ada.user.email });
  const token = await mailedToken(ada.user.email);
  const { email } = newcomer();
  await auth.changeEmail({ email }, await as(ada));
  await auth.confirmEmail({ token: await mailedToken(email) });
  expect(await reason(auth.resetPassword({ token, password: other }))).toBe("link_invalid");
  expect((await signIn({ email, password }, new Date(), here)).user.id).toBe(ada.user.id);
});

test("nobody calls off the mail that warns of what they did", async () => {
  const ada = await as(await person());
  await auth.createApiKey({ name: "of a thief" }, ada);
  const { tasks } = await queues.listTasks({ job: mailJob.name }, ada);
  expect(tasks).not.toEqual([]);
  for (const { id } of tasks) {
    expect(await reason(queues.cancelTask({ id }, ada))).toBe("task_kept");
    expect(await queues.getTask({ id }, ada)).toMatchObject({ canceling: false });
  }
});

test("a job that sends a mail has more time than it takes", () => {
  expect(mailJob.timeoutMs).toBeGreaterThan(MAIL_MS_MAX + 10_000);
});

test("the way back is open for a week", async () => {
  const ada = await person();
  const { revert } = await changed(ada);
  await systemQuery(
    "account-of-the-caller",
    "update auth.one_time_token set expires_at = expires_at - make_interval(secs => $2) where account_id = $1",
    [ada.user.id, REVERT_SECONDS],
  );
  expect(await reason(auth.revertEmail({ token: revert }))).toBe("link_invalid");
  expect((await register({ ...newcomer(), email: ada.user.email }, new Date())).user.id).not.toBe(ada.user.id);
});

test("taken back, the account loses what was added since a week before: accounts elsewhere, API keys, and secrets that were learnt", async () => {
  const ada = await person();
  const caller = await as(ada);
  const link = (subject: string, ageDays: number, how = "linked"): Promise<unknown> =>
    systemQuery(
      "test",
      `insert into auth.identity (id, account_id, provider, issuer, subject, how, created_at)
       values (gen_random_uuid(), $1, 'p', 'https://p.example', $2, $4, now() - make_interval(days => $3))`,
      [ada.user.id, `${subject} ${ada.user.id}`, ageDays, how],
    );
  await link("own", PREPARED_DAYS + 1);
  await link("registered by", 1, "registered");
  await link("prepared", PREPARED_DAYS - 1);
  const own = await auth.createApiKey({ name: "own" }, caller);
  const learnt = await auth.createApiKey({ name: "learnt" }, caller);
  await systemQuery(
    "test",
    "update auth.api_key set created_at = now() - make_interval(days => $2) where account_id = $1",
    [ada.user.id, PREPARED_DAYS + 1],
  );
  const { id: preparedId, key: prepared } = await auth.createApiKey({ name: "prepared" }, caller);
  const { email, revert } = await changed(ada);
  await link("thief's", 0);
  const { id: madeId, key: made } = await auth.createApiKey({ name: "thief's" }, caller);
  const { key: rotated } = await auth.rotateApiKey({ id: learnt.id }, caller);
  // Who was robbed is told at both addresses.
  for (const address of [email, ada.user.email])
    expect((await mailsTo(address)).map(({ subject }) => subject).slice(0, 2)).toEqual([
      "You rotated an API key",
      "You made an API key",
    ]);
  const { removed } = await auth.revertEmail({ token: revert });
  expect(removed).toMatchObject({ sessions: 1, totp: false, recoveryCodes: 0, passkeys: [], apiKeysInAll: 3 });
  expect(removed.identities).toHaveLength(2);
  expect(removed.apiKeys.map(({ id }) => id).toSorted()).toEqual([learnt.id, preparedId, madeId].toSorted());
  for (const key of [made, prepared, rotated, learnt.key]) expect(await reason(identify(key))).toBe("invalid_token");
  expect((await identify(own.key)).userID).toBe(own.id);
  const left = await systemQuery<{ subject: string }>(
    "test",
    "select subject from auth.identity where account_id = $1",
    [ada.user.id],
  );
  expect(left.map(({ subject }) => subject.replace(` ${ada.user.id}`, "")).toSorted()).toEqual([
    "own",
    "registered by",
  ]);
  const told = await systemQuery<{ type: string }>(
    "test",
    "select type from events.outbox where type in ('auth.identity.unlinked', 'auth.api-key.revoked') and tenant_id is null and aggregate_id = $1",
    [ada.user.id],
  );
  expect(told).toEqual([{ type: "auth.identity.unlinked" }, { type: "auth.identity.unlinked" }]);
});

describe("an account with more API keys than one transaction tells of, taken back", () => {
  const KEYS = 2 * KEYS_TOLD_MAX + 50;
  interface Robbed {
    ada: Registered;
    revert: string;
    /** One of the keys of after the change. */
    key: string;
  }
  /** Keys in several organisations, stored in no order of theirs. */
  async function robbed(): Promise<Robbed> {
    const ada = await person();
    const { revert } = await changed(ada);
    const { id, key } = await auth.createApiKey({ name: "thief's" }, await as(ada));
    const organisations: string[] = [];
    for (let n = 0; n < 3; n++) organisations.push((await register(newcomer(), new Date())).organisation.id);
    await systemQuery(
      "test",
      `insert into auth.api_key (id, tenant_id, account_id, name, prefix, hash, permissions, networks, expires_at)
       select gen_random_uuid(), ($3::uuid[])[1 + n % 3], account_id, 'n' || n, prefix, sha256(convert_to($1 || n, 'utf8')), permissions,
              networks, expires_at
         from auth.api_key, generate_series(2, $2) n where id::text = $1`,
      [id, KEYS, organisations],
    );
    return { ada, revert, key };
  }
  const keysOf = ({ user }: Registered, condition = "true"): Promise<number> =>
    count(`auth.api_key where account_id = '${user.id}' and ${condition}`);
  /** The organisations of the keys that were told of as revoked, one after the other; by transactions. */
  const toldOf = ({ user }: Registered): Promise<{ tenantId: string; xact: string }[]> =>
    systemQuery(
      "test",
      `select o.tenant_id as "tenantId", o.xmin::text as xact from events.outbox o
        where o.type = 'auth.api-key.revoked' and o.headers->>'actor' = $1 order by o.position, o.id`,
      [`user:${user.id}`],
    );

  test("loses them all, each told of once, so many in a transaction, and one organisation's log after the other", async () => {
    const { ada, revert, key } = await robbed();
    const { removed } = await auth.revertEmail({ token: revert });
    expect(removed.apiKeysInAll).toBe(KEYS);
    expect(await keysOf(ada)).toBe(0);
    expect(await reason(identify(key))).toBe("invalid_token");
    const told = await toldOf(ada);
    expect(told).toHaveLength(KEYS);
    const batches = [...new Set(told.map(({ xact }) => xact))].map((xact) =>
      told.filter((one) => one.xact === xact).map(({ tenantId }) => tenantId),
    );
    expect(batches.map((batch) => batch.length)).toEqual([KEYS_TOLD_MAX, KEYS_TOLD_MAX, 50]);
    for (const batch of batches) expect(batch).toEqual(batch.toSorted());
    expect(await reason(auth.revertEmail({ token: revert }))).toBe("link_invalid");
  });

  test("is shut first: whoever is cut off behind that finds nothing open, and follows the link again", async () => {
    const { ada, revert, key } = await robbed();
    const remove = store.apiKeyDeleteExpiredOfAccount;
    let batches = 0;
    const cut = vi.spyOn(store, "apiKeyDeleteExpiredOfAccount").mockImplementation((...of) => {
      if (++batches > 1) throw new Error("the process ends here");
      return remove(...of);
    });
    await expect(auth.revertEmail({ token: revert })).rejects.toThrow();
    cut.mockRestore();
    expect(await keysOf(ada)).toBe(KEYS - KEYS_TOLD_MAX);
    expect(await keysOf(ada, "expires_at > now()")).toBe(0);
    for (const credential of [key, ada.accessToken]) expect(await reason(identify(credential))).toBe("invalid_token");
    expect(await reason(signIn({ email: ada.user.email, password }, new Date(), here))).toBe("invalid_credentials");
    const { removed } = await auth.revertEmail({ token: revert });
    expect(removed.apiKeysInAll).toBe(KEYS - KEYS_TOLD_MAX);
    expect([await keysOf(ada), (await toldOf(ada)).length]).toEqual([0, KEYS]);
  });
});
