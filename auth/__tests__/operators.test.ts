// The platform's staff: made by command, in with password and code, in no organisation, and no look without a trace.
import { afterEach, describe, expect, test, vi } from "vitest";
import { auth } from "~encore/clients";
import { entryList } from "../../audit/store";
import { platformLog } from "../../audit/platform";
import { systemQuery } from "../../db/tenant";
import { databaseClock } from "../../security/database-clock";
import { masterKeyset, sealedBy } from "../../security/envelope";
import { Limits, limits } from "../../security/limits";
import { operatorPermissions } from "../../security/permissions";
import { callerFrom, type AuthData } from "../../security/principal";
import { registerCaller, createCaller } from "../../testing";
import { resealOperators } from "../factors/reseal";
import { listSigningKeys, revokeSigningKeyByCommand, rotateSigningKeysByCommand } from "../key-commands";
import { endSessionsByCommand } from "../operators/end-sessions";
import { listOperators, removeOperator, addOperator, resetOperator } from "../operators/operators";
import {
  beginSetup,
  completeSetup,
  readOperatorToken,
  signInOperator,
  SESSION_IDLE_SECONDS,
} from "../operators/sign-in";
import { keyRing, readAccessToken } from "../tokens";
import { ADDRESS, clock, codeOf, later, logOf, makeOperator, newEmail, PASSWORD, refusal, signIn } from "./staff";

const REASON = "ticket 4711: members are missing";

/** As the last argument of an endpoint. */
const signedInAs = (authData: AuthData): never => ({ authData }) as never;

describe("an operator", () => {
  afterEach(() => vi.restoreAllMocks());

  test("is added by command, sets up password and app once, signs in with both, and signs out", async () => {
    const email = newEmail();
    const { setupToken, id } = await addOperator(email.toUpperCase());
    await expect(addOperator(email)).rejects.toEqual(refusal("operator_exists"));
    for (const password of ["password", "nuttertools"])
      await expect(beginSetup({ setupToken, password }, ADDRESS)).rejects.toEqual(refusal("weak_password"));
    const { secret, uri } = await beginSetup({ setupToken, password: PASSWORD }, ADDRESS);
    expect(uri).toContain("otpauth://totp/");
    const at = later();
    await expect(completeSetup({ setupToken, code: "000000" }, at, ADDRESS)).rejects.toEqual(
      refusal("second_factor_invalid"),
    );
    await expect(signIn({ email, secret }), "before the set-up is complete").rejects.toEqual(
      refusal("invalid_credentials"),
    );
    await completeSetup({ setupToken, code: codeOf(secret, later()) }, new Date(clock.nowMs), ADDRESS);
    await expect(beginSetup({ setupToken, password: PASSWORD }, ADDRESS)).rejects.toEqual(
      refusal("operator_setup_invalid"),
    );

    const token = await signIn({ email, secret });
    const identity = await readOperatorToken(token);
    expect(identity).toMatchObject({ userID: id, kind: "operator", scope: operatorPermissions.join(" ") });
    expect(await auth.me(signedInAs(identity))).toEqual({
      kind: "operator",
      operator: { id, email },
      organisation: null,
      permissions: [...operatorPermissions],
      organisations: [],
    });
    await auth.operatorLogout(signedInAs(identity));
    await expect(readOperatorToken(token)).rejects.toThrow("no such session");
    const actions = (await logOf(platformLog.tenantId)).filter(({ actor }) => actor === `operator:${id}`);
    expect(actions.map(({ action }) => action)).toEqual(["operator.session.opened", "operator.account.activated"]);
  });

  test("shows codes of the database's time, wherever this machine's clock is", async () => {
    const staff = await makeOperator();
    vi.spyOn(databaseClock, "nowMs").mockImplementation(() => Date.now() + 300_000);
    await expect(makeOperator()).rejects.toEqual(refusal("second_factor_invalid"));
    await expect(signIn(staff)).rejects.toEqual(refusal("invalid_credentials"));
    await signIn(staff, { code: codeOf(staff.secret, new Date(clock.nowMs + 360_000)) });
  });

  test("is guessed neither from one address nor at one account: guessing is shut out before it is looked at", async () => {
    const staff = await makeOperator();
    // A tenth: two wrong set-ups or sign-ins from an address, five at an account from everywhere.
    const strict = new Limits({ scale: 0.1 });
    for (const method of ["consume", "forget", "assertFewFailures", "countFailure"] as const)
      vi.spyOn(limits, method).mockImplementation(strict[method].bind(strict));
    const address = "203.0.113.99";
    const setup = { setupToken: `gws_${"x".repeat(43)}`, password: PASSWORD, code: "000000" };
    const right = { email: staff.email, password: PASSWORD, code: codeOf(staff.secret, later()) };
    await expect(beginSetup(setup, address)).rejects.toEqual(refusal("operator_setup_invalid"));
    await expect(completeSetup(setup, new Date(clock.nowMs), address)).rejects.toEqual(
      refusal("operator_setup_invalid"),
    );
    await expect(beginSetup(setup, address)).rejects.toEqual(refusal("rate_limited"));
    await expect(completeSetup(setup, new Date(clock.nowMs), address)).rejects.toEqual(refusal("rate_limited"));
    await expect(signInOperator(right, new Date(clock.nowMs), address)).rejects.toEqual(refusal("rate_limited"));

    const wrong = { ...right, password: "x" };
    for (let n = 0; n < 5; n++)
      await expect(signInOperator(wrong, new Date(clock.nowMs), `198.51.100.${n}`)).rejects.toEqual(
        refusal("invalid_credentials"),
      );
    await expect(signInOperator(right, new Date(clock.nowMs), "198.51.100.9")).rejects.toEqual(refusal("rate_limited"));
  });

  test("uses a code once, and after a hundred wrong ones only a reset helps", async () => {
    const staff = await makeOperator();
    const at = later();
    const input = { email: staff.email, password: PASSWORD, code: codeOf(staff.secret, at) };
    await signInOperator(input, at, ADDRESS);
    await expect(signInOperator(input, at, ADDRESS)).rejects.toEqual(refusal("invalid_credentials"));
    const failures = (): Promise<unknown[]> =>
      systemQuery("test", "select totp_failures as n from auth.operator where email = $1", [staff.email]);
    expect(await failures()).toEqual([{ n: 1 }]);
    await signIn(staff);
    expect(await failures()).toEqual([{ n: 0 }]);
    await systemQuery("test", "update auth.operator set totp_failures = 100 where email = $1", [staff.email]);
    await expect(signIn(staff)).rejects.toEqual(refusal("invalid_credentials"));
  });

  test("is out at once when removed or reset; a reset wants a new password and app", async () => {
    const [gone, fresh] = [await makeOperator(), await makeOperator()];
    const tokens = [await signIn(gone), await signIn(fresh)];
    await removeOperator(gone.email);
    const { setupToken } = await resetOperator(fresh.email);
    for (const token of tokens) await expect(readOperatorToken(token)).rejects.toThrow("no such session");
    await expect(signIn(fresh)).rejects.toEqual(refusal("invalid_credentials"));
    await expect(removeOperator(gone.email)).rejects.toEqual(refusal("operator_not_found"));
    await systemQuery("test", "update auth.operator set setup_expires_at = now() where email = $1", [fresh.email]);
    await expect(beginSetup({ setupToken, password: PASSWORD }, ADDRESS)).rejects.toEqual(
      refusal("operator_setup_invalid"),
    );
    expect((await listOperators()).find(({ email }) => email === fresh.email)).toMatchObject({ activatedAt: null });
  });

  test.each([
    ["is not used for a quarter of an hour", `last_used_at = now() - interval '${SESSION_IDLE_SECONDS} seconds'`],
    ["is four hours old", "expires_at = now()"],
  ])("has a session that ends when it %s", async (_what, change) => {
    const token = await signIn(await makeOperator());
    const { sessionId } = await readOperatorToken(token);
    await systemQuery("test", `update auth.operator_session set ${change} where id = $1`, [sessionId]);
    await expect(readOperatorToken(token)).rejects.toThrow("no such session");
  });

  test("keeps an app whose secret moves under a new master key", async () => {
    const staff = await makeOperator();
    const secretOf = async (): Promise<Buffer | undefined> => {
      const sql = "select totp_sealed as sealed from auth.operator where email = $1";
      return (await systemQuery<{ sealed: Buffer }>("test", sql, [staff.email]))[0]?.sealed;
    };
    const before = (await secretOf()) ?? Buffer.alloc(0);
    const [present] = await Promise.all([import("../factors/keys").then(({ operatorTotpKey }) => operatorTotpKey())]);
    const next = masterKeyset("another-master-key-of-more-than-32-characters", "operator totp secrets");
    expect(await resealOperators([next[0], ...present])).toBeGreaterThan(0);
    expect(sealedBy((await secretOf()) ?? before)).toEqual(next[0].id);
    expect(await resealOperators([present[0], ...next])).toBeGreaterThan(0);
    await expect(signIn(staff)).resolves.toBeDefined();
  });
});

describe("who is who", () => {
  const staff: AuthData = { userID: "0190f2b0-0000-7000-8000-000000000001", kind: "operator" };

  test("staff hold nothing of an organisation's, and nobody else holds anything of theirs", () => {
    const everything = "document.read member.read operator.member.read";
    expect([...callerFrom({ ...staff, scope: everything }).permissions]).toEqual(["operator.member.read"]);
    const { tenantId } = platformLog;
    expect([...callerFrom({ ...staff, kind: "key", tenantId, scope: everything }).permissions]).toEqual([
      "document.read",
      "member.read",
    ]);
    expect(() => callerFrom({ ...staff, tenantId, scope: everything })).toThrow();
    expect(() => callerFrom({ ...staff, role: "owner" })).toThrow();
  });

  test("nobody gives an organisation's role or key what belongs to staff", async () => {
    const owner = await registerCaller();
    for (const name of operatorPermissions) {
      const permissions = [name, "member.read"];
      await expect(auth.createRole({ name, permissions }, owner), name).rejects.toMatchObject({
        code: "invalid_argument",
      });
      await expect(auth.createApiKey({ name, permissions }, owner), name).rejects.toMatchObject({
        code: "invalid_argument",
      });
    }
  });

  test("staff are refused by what belongs to organisations and people; customers by what belongs to staff", async () => {
    const operator = { ...staff, scope: operatorPermissions.join(" ") };
    await expect(auth.listMembers({}, signedInAs(operator))).rejects.toMatchObject({ code: "permission_denied" });
    await expect(auth.organisations(signedInAs(operator))).rejects.toMatchObject({
      code: "permission_denied",
    });
    const looks = await Promise.allSettled([
      auth.operatorOrganisations({ email: "a@example.com", reason: REASON }, createCaller("owner")),
      auth.operatorMembers({ id: platformLog.tenantId, reason: REASON }, createCaller("owner")),
      auth.operatorMembers(
        { id: platformLog.tenantId, reason: REASON },
        signedInAs({ ...staff, scope: "operator.audit.read" }),
      ),
      auth.platformAudit({}, createCaller("owner")),
      auth.systemUse({}, createCaller("owner")),
    ]);
    const denied = { status: "rejected", reason: expect.objectContaining({ code: "permission_denied" }) as unknown };
    expect(looks).toEqual(looks.map(() => denied));
  });
});

describe("a look", () => {
  const operator: AuthData = {
    userID: "0190f2b0-0000-7000-8000-000000000002",
    kind: "operator",
    scope: operatorPermissions.join(" "),
  };
  const as = signedInAs(operator);
  const told = (what: string): object => ({
    action: "operator.organisation.looked",
    actor: `operator:${operator.userID}`,
    fields: { what, reason: REASON, outcome: "seen" },
  });

  test("at an organisation stands in its log, with who and why, before it is answered", async () => {
    const owner = await registerCaller();
    const id = owner.tenantId ?? "";
    const { organisations } = await auth.operatorOrganisations({ email: owner.email, reason: REASON }, as);
    expect(organisations).toEqual([expect.objectContaining({ id, members: 1 })]);
    expect(await auth.operatorOrganisation({ id, reason: REASON }, as)).toEqual(organisations[0]);
    const { members } = await auth.operatorMembers({ id, reason: REASON }, as);
    expect(members).toEqual([{ id: owner.principal.subjectId, role: "owner", since: expect.any(String) as string }]);
    const { entries } = await auth.operatorAudit({ id, reason: REASON, limit: 3 }, as);
    const looks = ["auth.members", "auth.overview", "auth.overview"].map(told);
    expect(entries.map(({ action, actor, fields }) => ({ action, actor, fields }))).toEqual(looks);
    expect((await logOf(id)).slice(0, 4)).toEqual([told("audit.entries"), ...looks]);
    expect(JSON.stringify([members, entries])).not.toContain(owner.email);
  });

  test("at its log shows what happened and nothing personal, which its owner reads in the same entry", async () => {
    const owner = await registerCaller();
    const email = newEmail();
    await auth.inviteMember({ email, role: "viewer" }, owner);
    const { entries } = await auth.operatorAudit({ id: owner.tenantId, reason: REASON, limit: 5 }, as);
    const seen = entries.find(({ action }) => action === "auth.member.invited");
    expect(seen).toMatchObject({ fields: { role: "viewer" }, personal: { email: "[personal]" } });
    expect(JSON.stringify(entries)).not.toContain(email);
    const { rows } = await entryList({ tenantId: owner.tenantId }, "auth.member.invited", 1, undefined);
    expect(rows[0]).toMatchObject({ id: seen?.id, personal: { email } });
  });

  test("without a reason is refused, and nothing is told", async () => {
    const owner = await registerCaller();
    const id = owner.tenantId ?? "";
    const before = await logOf(id);
    for (const reason of [undefined, "", "short"]) {
      const because = reason === undefined ? {} : { reason };
      for (const look of [
        () => auth.operatorOrganisations({ email: owner.email, ...because }, as),
        () => auth.operatorOrganisation({ id, ...because }, as),
        () => auth.operatorMembers({ id, ...because }, as),
        () => auth.operatorAudit({ id, ...because }, as),
      ])
        await expect(look()).rejects.toMatchObject({ code: "invalid_argument" });
    }
    expect(await logOf(id)).toEqual(before);
  });

  test("at what is no organisation is refused, and begins no log", async () => {
    for (const id of [platformLog.tenantId, "0190f2b0-0000-7000-8000-0000000000ff", "x"]) {
      await expect(auth.operatorMembers({ id, reason: REASON }, as)).rejects.toEqual(
        refusal("operator_organisation_not_found"),
      );
      await expect(auth.operatorAudit({ id, reason: REASON }, as)).rejects.toEqual(
        refusal("operator_organisation_not_found"),
      );
    }
    expect(
      await systemQuery("test", "select 1 from audit.head where tenant_id = '0190f2b0-0000-7000-8000-0000000000ff'"),
    ).toEqual([]);
  });

  test("for an address that nobody has stands in the installation's log", async () => {
    const { organisations } = await auth.operatorOrganisations({ email: "nobody@example.com", reason: REASON }, as);
    expect(organisations).toEqual([]);
    const { entries } = await auth.platformAudit({ limit: 1 }, as);
    expect(entries[0]).toMatchObject({
      action: "operator.organisation.searched",
      fields: { reason: REASON, found: 0 },
      personal: { email: "[personal]" },
    });
  });
});

describe("sessions by command", () => {
  const isLive = (accessToken: string): Promise<boolean> =>
    readAccessToken(accessToken, new Date()).then(
      () => true,
      () => false,
    );

  test("end for one account, and for nobody else; the installation's log says how many and by whom", async () => {
    const [ended, bystander] = [await registerCaller(), await registerCaller()];
    const email = (await auth.me(ended)).user?.email ?? "";
    expect(await endSessionsByCommand(email)).toBe(1);
    expect([await isLive(ended.accessToken), await isLive(bystander.accessToken)]).toEqual([false, true]);
    expect((await logOf(platformLog.tenantId))[0]).toEqual({
      action: "operator.sessions.ended",
      actor: "system:command",
      fields: { sessions: 1 },
    });
    expect(await endSessionsByCommand(email)).toBe(0);
    expect(await endSessionsByCommand(newEmail())).toBeUndefined();
    expect(await endSessionsByCommand("no address")).toBeUndefined();
  });
});

describe("signing keys by command", () => {
  const rank = ["signing", "waiting", "standby", "verifying"];
  const states = async (): Promise<string[]> =>
    (await listSigningKeys()).map(({ state }) => state).sort((a, b) => rank.indexOf(a) - rank.indexOf(b));
  const lastInLog = async (): Promise<object | undefined> => (await logOf(platformLog.tenantId))[0];

  test("are listed with what each does, take turns, and are revoked; the installation's log says by whom", async () => {
    await keyRing.published();
    // However long the database has been there: who stood by for a minute would sign at once.
    await systemQuery("test", "update auth.signing_key set published_at = now() where signs_from is null");
    expect(await states()).toEqual(["signing", "standby"]);
    await rotateSigningKeysByCommand();
    expect(await lastInLog()).toEqual({
      action: "operator.signing_key.rotated",
      actor: "system:command",
      fields: {},
    });
    expect(await states()).toEqual(["signing", "waiting", "standby"]);
    const waiting = (await listSigningKeys()).find(({ state }) => state === "waiting");
    expect(waiting?.signsFrom?.getTime()).toBeGreaterThan(Date.now() - 60_000);

    const signing = (await listSigningKeys()).find(({ state }) => state === "signing");
    expect(await revokeSigningKeyByCommand(signing?.kid ?? "")).toBe(true);
    expect(await lastInLog()).toMatchObject({ action: "operator.signing_key.revoked", actor: "system:command" });
    const left = await listSigningKeys();
    expect(left.map(({ kid }) => kid)).not.toContain(signing?.kid);
    expect(left.find(({ state }) => state === "signing")?.kid).toBe(waiting?.kid);
  });

  test("that are not there are not revoked, and nothing is written down", async () => {
    const before = await logOf(platformLog.tenantId);
    expect(await revokeSigningKeyByCommand("nobody's")).toBe(false);
    expect(await logOf(platformLog.tenantId)).toEqual(before);
  });
});
