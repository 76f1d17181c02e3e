// What a person does with their account, organisations and members.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { platformLog } from "../../audit/platform";
import { entryList } from "../../audit/store";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { renderPrometheus } from "../../telemetry/metrics";
import type { Role } from "../../security/permissions";
import { REUSE_GRACE_MS } from "../refresh-token";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { as, identify } from "./callers";
import { mailsTo } from "./mails";
import { here, newcomer, password, reason } from "./people";

const person = async (): Promise<Registered & { email: string }> => {
  const wanted = newcomer();
  return { ...(await register(wanted, new Date())), email: wanted.email };
};
/** Makes an account a member, as an invitation will. */
const join = async (newMember: SignedIn, organisation: { id: string }, role: Role): Promise<void> => {
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)", [
    organisation.id,
    newMember.user.id,
    role,
  ]);
};

const compromisedCount = async (): Promise<number> =>
  Number(/^sessions_compromised_total(?:\{[^}]*\})? (\d+)/m.exec(await renderPrometheus())?.[1] ?? 0);

describe("an account", () => {
  test("in two organisations switches between them without signing in, each session in its own", async () => {
    const ada = await person();
    const other = await auth.createOrganisation({ name: "Second" }, await as(ada));
    expect(other).toEqual({ id: expect.any(String), name: "Second", role: "owner" });
    const there = await auth.switchTo({ organisationId: other.id }, await as(ada));
    expect(there).toEqual({
      accessToken: expect.any(String),
      refreshToken: expect.stringMatching(/^[\w-]{91}$/),
      expiresIn: 900,
      user: ada.user,
      organisation: other,
    });
    expect((await identify(there.accessToken)).tenantId).toBe(other.id);
    const [stays, follows] = [
      await refreshSession(ada.refreshToken, new Date(), here),
      await refreshSession(there.refreshToken, new Date(), here),
    ];
    expect([stays.organisation?.id, follows.organisation?.id]).toEqual([ada.organisation.id, other.id]);
    expect((await auth.listSessions(await as(follows))).sessions).toHaveLength(1);
    await auth.logout({}, await as(follows));
    expect(await reason(refreshSession(stays.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
  });

  test("does not switch to an organisation it does not belong to, nor from a session that is over", async () => {
    const [ada, stranger] = [await person(), await person()];
    const caller = await as(ada);
    for (const organisationId of [stranger.organisation.id, crypto.randomUUID(), "x"])
      expect(await reason(auth.switchTo({ organisationId }, caller))).toBe("organisation_not_found");
    await auth.logout({}, caller);
    expect(await reason(auth.switchTo({ organisationId: ada.organisation.id }, caller))).toBe("invalid_token");
  });

  test("that was removed everywhere signs in, may do nothing in an organisation, and makes one", async () => {
    const [owner, gone] = [await person(), await person()];
    await join(gone, owner.organisation, "owner");
    await join(owner, gone.organisation, "owner");
    await auth.removeMember({ userId: owner.user.id }, await as(gone));
    const chosen = await auth.switchTo({ organisationId: gone.organisation.id }, await as(gone));
    expect(chosen.organisation).toMatchObject({ id: gone.organisation.id });
    await systemQuery("test", "delete from auth.membership where account_id = $1", [gone.user.id]);
    const signedIn = await signIn({ email: gone.email, password }, new Date(), here);
    expect(signedIn.organisation).toBeNull();
    const caller = await as(signedIn);
    expect(await auth.me(caller)).toEqual({
      kind: "user",
      user: { id: gone.user.id, email: gone.email, emailVerified: false },
      organisation: null,
      permissions: [],
      organisations: [],
    });
    expect(await reason(auth.listMembers({}, caller))).toBe("no_organisation");
    const made = await auth.createOrganisation({ name: "Anew" }, caller);
    const back = await auth.switchTo({ organisationId: made.id }, caller);
    expect(await auth.me(await as(back))).toMatchObject({ organisation: { id: made.id }, role: "owner" });
    expect((await refreshSession(chosen.refreshToken, new Date(), here)).organisation).toBeNull();
  });

  test("lists its sign-ins by device and ends one of them, and nobody else's", async () => {
    const ada = await person();
    const phone = await signIn({ email: ada.email, password }, new Date(), here, "Phone/1.0");
    const { sessions } = await auth.listSessions(await as(ada));
    expect(sessions.map(({ device, current }) => ({ device, current }))).toEqual([
      { device: "Phone/1.0", current: false },
      { device: undefined, current: true },
    ]);
    const id = sessions[0]?.id ?? "";
    const stranger = await as(await person());
    for (const wrong of [id, "x", crypto.randomUUID()])
      expect(await reason(auth.endSession({ id: wrong }, stranger))).toBe("session_not_found");
    expect(await identify(phone.accessToken)).toBeDefined();
    await auth.endSession({ id }, await as(ada));
    expect(await reason(identify(phone.accessToken))).toBe("invalid_token");
    expect(await reason(refreshSession(phone.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect((await auth.listSessions(await as(ada))).sessions).toHaveLength(1);
    await auth.endSession({ id: sessions[1]?.id ?? "" }, await as(ada));
    // Who ends their own signs out, which leaves no entry.
    const scope = { tenantId: tenantIdFrom(ada.organisation.id) };
    const { rows } = await entryList(scope, "auth.session.ended", 10, undefined);
    expect(rows).toMatchObject([{ actor: `user:${ada.user.id}`, targetId: ada.user.id, fields: { signInId: id } }]);
  });

  test("that is signed out everywhere is so at once here, access tokens included", async () => {
    const ada = await person();
    const phone = await signIn({ email: ada.email, password }, new Date(), here);
    const bystander = await person();
    await auth.logout({ everywhere: true }, await as(ada));
    for (const { accessToken, refreshToken } of [ada, phone]) {
      expect(await reason(identify(accessToken))).toBe("invalid_token");
      expect(await reason(refreshSession(refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    }
    expect(await identify(bystander.accessToken)).toBeDefined();
  });

  test("signs out everywhere else: here it goes on, in all its organisations, and the log of this one says so", async () => {
    const [ada, stranger] = [await person(), await person()];
    const phone = await signIn({ email: ada.user.email, password }, new Date(), here);
    const there = await auth.switchTo({ organisationId: ada.organisation.id }, await as(ada));
    const byPhone = await as(phone);
    await auth.endOtherSessions(await as(there));
    expect(await reason(identify(phone.accessToken))).toBe("invalid_token");
    expect(await reason(refreshSession(phone.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    for (const { accessToken, refreshToken } of [ada, there, stranger]) {
      expect(await identify(accessToken)).toBeDefined();
      expect(await refreshSession(refreshToken, new Date(), here)).toBeDefined();
    }
    // Whose session is over ends nobody's.
    expect(await reason(auth.endOtherSessions(byPhone))).toBe("invalid_token");
    await auth.endOtherSessions(await as(there));
    expect((await auth.listSessions(await as(there))).sessions).toHaveLength(1);
    const scope = { tenantId: tenantIdFrom(ada.organisation.id) };
    const { rows } = await entryList(scope, "auth.session.ended_elsewhere", 10, undefined);
    const by = `user:${ada.user.id}`;
    expect(rows).toMatchObject([{ actor: by, targetId: ada.user.id, fields: { sessions: 1 } }]);
    // Who ended nothing the second time sends no mail then.
    const subjects = (await mailsTo(ada.email)).map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject.includes("everywhere else"))).toHaveLength(1);
  });

  test("that ends sign-ins elsewhere without an organisation leaves that in the installation's log", async () => {
    const ada = await person();
    await systemQuery("test", "delete from auth.membership where account_id = $1", [ada.user.id]);
    const signInAgain = (): Promise<SignedIn> => signIn({ email: ada.email, password }, new Date(), here);
    const by = await as(await signInAgain());
    const { sessions } = await auth.listSessions(by);
    await auth.endSession({ id: sessions.find(({ current }) => !current)?.id ?? "" }, by);
    await signInAgain();
    await auth.endOtherSessions(by);
    const { rows } = await entryList(platformLog, undefined, 50, undefined);
    expect(rows.filter(({ actor }) => actor === `user:${ada.user.id}`).map(({ action }) => action)).toEqual([
      "auth.session.ended_elsewhere",
      "auth.session.ended",
    ]);
  });

  test("ends only sign-ins that are live, and counts no others; access tokens of those are refused all the same", async () => {
    const ada = await person();
    const others: SignedIn[] = [];
    for (const device of ["idle", "expired", "live"])
      others.push(await signIn({ email: ada.email, password }, new Date(), here, device));
    const by = await as(ada);
    const { sessions } = await auth.listSessions(by);
    const idle = sessions.find(({ device }) => device === "idle")?.id ?? "";
    const set = (device: string, what: string): Promise<unknown> =>
      systemQuery("test", `update auth.session set ${what} where account_id = $1 and device = $2`, [
        ada.user.id,
        device,
      ]);
    await set("idle", "created_at = now() - interval '15 days'");
    await set("expired", "expires_at = now() - interval '1 minute'");
    expect(await reason(auth.endSession({ id: idle }, by))).toBe("session_not_found");
    await auth.endOtherSessions(by);
    for (const { accessToken } of others) expect(await reason(identify(accessToken))).toBe("invalid_token");
    const scope = { tenantId: tenantIdFrom(ada.organisation.id) };
    const { rows } = await entryList(scope, "auth.session.ended_elsewhere", 10, undefined);
    expect(rows.map(({ fields }) => fields)).toEqual([{ sessions: 1 }]);
  });

  test("gets another password with the present one only, and all its other sign-ins end", async () => {
    const ada = await person();
    const phone = await signIn({ email: ada.email, password }, new Date(), here);
    const caller = await as(ada);
    const change = (current: string, wanted: string): Promise<string | undefined> =>
      reason(auth.changePassword({ current, password: wanted }, caller));
    expect(await change("not the present one", "another fine passphrase")).toBe("invalid_credentials");
    expect(await change(password, "password123")).toBe("weak_password");
    expect(await identify(phone.accessToken)).toBeDefined();
    expect(await change(password, "another fine passphrase")).toBeUndefined();
    expect(await identify(ada.accessToken)).toBeDefined();
    expect(await reason(identify(phone.accessToken))).toBe("invalid_token");
    expect(await reason(signIn({ email: ada.email, password }, new Date(), here))).toBe("invalid_credentials");
    expect(await signIn({ email: ada.email, password: "another fine passphrase" }, new Date(), here)).toBeDefined();
  });

  test("whose session was not refreshed for a fortnight signs in again", async () => {
    const [idle, used] = [await person(), await person()];
    const ago = (days: number, { user }: SignedIn): Promise<unknown[]> =>
      systemQuery(
        "test",
        "update auth.session set created_at = now() - make_interval(days => $2) where account_id = $1",
        [user.id, days],
      );
    await ago(15, idle);
    await ago(13, used);
    expect(await reason(refreshSession(idle.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect((await auth.listSessions(await as(idle))).sessions).toEqual([]);
    expect(await refreshSession(used.refreshToken, new Date(), here)).toBeDefined();
  });

  test("whose refresh token is replayed loses all of that sign-in, access tokens too; an event, a mail and the log say so", async () => {
    const before = await compromisedCount();
    const owner = await person();
    const thief = await refreshSession(owner.refreshToken, new Date(), here);
    await systemQuery(
      "test",
      "update auth.session set rotated_at = array[now() - make_interval(secs => $2)] where account_id = $1",
      [owner.user.id, REUSE_GRACE_MS / 1000 + 1],
    );
    expect(await reason(refreshSession(owner.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    expect(await reason(identify(thief.accessToken))).toBe("invalid_token");
    const events = await systemQuery(
      "test",
      "select payload, tenant_id from events.outbox where type = 'auth.session.compromised' and aggregate_id = $1",
      [owner.user.id],
    );
    expect(events).toEqual([
      {
        payload: { userId: owner.user.id, sessionId: expect.any(String), organisationId: owner.organisation.id },
        tenant_id: owner.organisation.id,
      },
    ]);
    const mails = await systemQuery<{ kind: string }>(
      "test",
      "select payload->>'kind' as kind from events.outbox where type = 'auth:mail' and payload->>'accountId' = $1",
      [owner.user.id],
    );
    expect(mails.filter(({ kind }) => kind === "session-compromised")).toHaveLength(1);
    const { rows } = await entryList({ tenantId: tenantIdFrom(owner.organisation.id) }, undefined, 10, undefined);
    expect(rows.find(({ action }) => action === "auth.session.compromised")).toMatchObject({
      actor: "system:auth.refresh",
      targetId: owner.user.id,
    });
    expect(await compromisedCount()).toBe(before + 1);
  });

  test.each([
    ["a session without an organisation", "update auth.session set organisation_id = null where account_id = $1"],
    ["one of an organisation that they are removed from", "delete from auth.membership where account_id = $1"],
  ])("whose refresh token is replayed in %s leaves that in the installation's log", async (_where, sql) => {
    const owner = await person();
    await refreshSession(owner.refreshToken, new Date(), here);
    await systemQuery("test", sql, [owner.user.id]);
    const long = "rotated_at = array(select at - interval '1 hour' from unnest(rotated_at) at)";
    await systemQuery("test", `update auth.session set ${long} where account_id = $1`, [owner.user.id]);
    expect(await reason(refreshSession(owner.refreshToken, new Date(), here))).toBe("refresh_token_invalid");
    const { rows } = await entryList(platformLog, "auth.session.compromised", 50, undefined);
    expect(rows.filter(({ targetId }) => targetId === owner.user.id)).toMatchObject([{ actor: "system:auth.refresh" }]);
    const own = await entryList({ tenantId: tenantIdFrom(owner.organisation.id) }, undefined, 10, undefined);
    expect(own.rows.map(({ action }) => action)).not.toContain("auth.session.compromised");
    const events = await systemQuery(
      "test",
      `select payload->>'organisationId' as organisation, tenant_id as tenant from events.outbox
       where type = 'auth.session.compromised' and aggregate_id = $1`,
      [owner.user.id],
    );
    expect(events).toEqual([{ organisation: null, tenant: null }]);
  });
});

describe("members", () => {
  const withMember = async (role: Role): Promise<{ owner: Registered; member: SignedIn }> => {
    const [owner, member] = [await person(), await person()];
    await join(member, owner.organisation, role);
    return { owner, member: await auth.switchTo({ organisationId: owner.organisation.id }, await as(member)) };
  };

  test("are listed page by page, to their organisation only", async () => {
    const { owner, member } = await withMember("viewer");
    const first = await auth.listMembers({ limit: 1 }, await as(member));
    const second = await auth.listMembers({ limit: 1, cursor: first.next ?? "" }, await as(member));
    expect([...first.members, ...second.members].map(({ id, role }) => ({ id, role }))).toEqual([
      { id: member.user.id, role: "viewer" },
      { id: owner.user.id, role: "owner" },
    ]);
    expect(second.next).toBeUndefined();
  });

  test("get another role: tokens of the old one are refused at once here, refreshed ones have the new", async () => {
    const { owner, member } = await withMember("admin");
    expect(await reason(auth.changeMember({ userId: owner.user.id, role: "viewer" }, await as(member)))).toBe(
      "permission_denied",
    );
    await auth.changeMember({ userId: member.user.id, role: "viewer" }, await as(owner));
    expect(await reason(identify(member.accessToken))).toBe("invalid_token");
    const renewed = await refreshSession(member.refreshToken, new Date(), here);
    expect(await identify(renewed.accessToken)).toMatchObject({ role: "viewer" });
    expect(await identify(owner.accessToken)).toBeDefined();
  });

  test("that are removed are out at once here, keep their account, and may come back", async () => {
    const { owner, member } = await withMember("member");
    await auth.removeMember({ userId: member.user.id }, await as(owner));
    expect(await reason(identify(member.accessToken))).toBe("invalid_token");
    expect((await refreshSession(member.refreshToken, new Date(), here)).organisation).toBeNull();
    await join(member, owner.organisation, "member");
    const back = await refreshSession(member.refreshToken, new Date(), here);
    expect(back.organisation?.id).toBe(owner.organisation.id);
    expect(await identify(back.accessToken)).toMatchObject({ role: "member" });
  });

  test("keep an owner: the last one is neither removed nor demoted; an admin neither makes nor touches one", async () => {
    const { owner, member } = await withMember("admin");
    const [asOwner, asAdmin] = [await as(owner), await as(member)];
    const mine = { userId: owner.user.id };
    expect(await reason(auth.changeMember({ ...mine, role: "admin" }, asOwner))).toBe("last_owner");
    expect(await reason(auth.removeMember(mine, asOwner))).toBe("last_owner");
    expect(await reason(auth.removeMember(mine, asAdmin))).toBe("permission_denied");
    expect(await reason(auth.changeMember({ userId: member.user.id, role: "owner" }, asAdmin))).toBe(
      "permission_denied",
    );
    await auth.changeMember({ userId: member.user.id, role: "owner" }, asOwner);
    await auth.changeMember({ ...mine, role: "viewer" }, asOwner);
  });

  test("that change are in the audit log, with who changed them", async () => {
    const { owner, member } = await withMember("member");
    await auth.changeMember({ userId: member.user.id, role: "viewer" }, await as(owner));
    await auth.changeMember({ userId: member.user.id, role: "viewer" }, await as(owner));
    await auth.removeMember({ userId: member.user.id }, await as(owner));
    const entries = await systemQuery<{ action: string; actor: string; target: string; fields: object }>(
      "test",
      "select action, actor, target_id as target, fields from audit.entry where tenant_id = $1 order by seq",
      [owner.organisation.id],
    );
    const by = { actor: `user:${owner.user.id}` };
    expect(entries).toEqual([
      {
        ...by,
        action: "auth.organisation.created",
        target: owner.organisation.id,
        fields: expect.any(Object) as object,
      },
      {
        ...by,
        action: "auth.member.role_changed",
        target: member.user.id,
        fields: { role: "viewer", roleId: null, previousRole: "member" },
      },
      { ...by, action: "auth.member.removed", target: member.user.id, fields: { role: "viewer" } },
    ]);
  });

  test("of another organisation are not there, and a viewer changes nobody", async () => {
    const { owner, member } = await withMember("viewer");
    const stranger = await as(await person());
    for (const userId of [member.user.id, crypto.randomUUID(), "x"]) {
      expect(await reason(auth.changeMember({ userId, role: "admin" }, stranger))).toBe("member_not_found");
      expect(await reason(auth.removeMember({ userId }, stranger))).toBe("member_not_found");
    }
    expect(await reason(auth.removeMember({ userId: owner.user.id }, await as(member)))).toBe("permission_denied");
  });
});
