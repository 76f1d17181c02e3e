// Inviting people into an organisation.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import type { Role } from "../../security/permissions";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { purgeEnded } from "../upkeep";
import { invitationText } from "../mail-texts";
import { as, identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { here, newcomer, password, reason } from "./people";

const person = async (): Promise<Registered> => register(newcomer(), new Date());
const inside = async (member: SignedIn, { id }: { id: string }): Promise<SignedIn> =>
  auth.switchTo({ organisationId: id }, await as(member));
/** A colleague who was invited and accepted, signed in to the owner's organisation. */
const colleague = async (owner: Registered, role: Role): Promise<SignedIn> => {
  const joining = await person();
  await auth.inviteMember({ email: joining.user.email, role }, await as(owner));
  await auth.acceptInvitation({ token: await mailedToken(joining.user.email) }, await as(joining));
  return inside(joining, owner.organisation);
};
const rolesIn = async (signedIn: SignedIn): Promise<string[]> =>
  (await auth.listMembers({}, await as(signedIn))).members.map(({ email, role }) => `${email} ${role}`);

describe("an invitation", () => {
  test("makes whose address it names a member, once, in the role it names", async () => {
    const [owner, bob] = [await person(), await person()];
    const made = await auth.inviteMember(
      { email: ` ${bob.user.email.toUpperCase()}`, role: "member" },
      await as(owner),
    );
    expect(made).toEqual({
      id: expect.any(String) as string,
      email: bob.user.email,
      role: "member",
      expiresAt: expect.any(String) as string,
    });
    expect((Date.parse(made.expiresAt) - Date.now()) / 86_400_000).toBeCloseTo(7, 1);
    const [mail] = await mailsTo(bob.user.email);
    expect(mail?.text).toContain(`“${owner.organisation.name}”, as member`);
    expect(mail?.text).toContain("http://localhost:4000/accept-invitation#token=");
    const token = mail?.token ?? "";
    expect(await auth.acceptInvitation({ token }, await as(bob))).toEqual({ ...owner.organisation, role: "member" });
    expect(await reason(auth.acceptInvitation({ token }, await as(bob)))).toBe("invitation_not_found");
    const there = await inside(bob, owner.organisation);
    expect(await rolesIn(there)).toEqual([`${bob.user.email} member`, `${owner.user.email} owner`]);
    expect((await auth.me(await as(bob))).user?.emailVerified).toBe(true);
    expect((await auth.listInvitations({}, await as(owner))).invitations).toEqual([]);
  });

  test("is for its address alone, and nobody learns from the answer whether the token exists", async () => {
    const [owner, bob, mallory] = [await person(), await person(), await person()];
    await auth.inviteMember({ email: bob.user.email, role: "admin" }, await as(owner));
    const token = await mailedToken(bob.user.email);
    for (const presented of [token, "x", token.slice(1)])
      expect(await reason(auth.acceptInvitation({ token: presented }, await as(mallory)))).toBe("invitation_not_found");
    const { email: other } = newcomer();
    expect(await reason(register({ email: other, password, invitation: token }, new Date()))).toBe(
      "invitation_not_found",
    );
    await auth.acceptInvitation({ token }, await as(bob));
  });

  test.each<[string, number, (owner: Registered, bob: SignedIn) => Promise<unknown>]>([
    ["removed", 0, async (owner, bob) => auth.removeMember({ userId: bob.user.id }, await as(owner))],
    [
      "gone by themselves",
      0,
      async (owner, bob) => auth.leaveOrganisation({ id: owner.organisation.id }, await as(bob)),
    ],
    [
      "out by a version that left the keys",
      1,
      (owner, bob) =>
        systemQuery("test", "delete from auth.membership where tenant_id = $1 and account_id = $2", [
          owner.organisation.id,
          bob.user.id,
        ]),
    ],
  ])("brings whoever was %s back without the keys they made before, which is told", async (_how, left, end) => {
    const owner = await person();
    const bob = await colleague(owner, "admin");
    const { id, key } = await auth.createApiKey({ name: "before" }, await as(bob));
    await end(owner, bob);
    expect((await auth.listApiKeys({}, await as(owner))).keys).toHaveLength(left);
    await auth.inviteMember({ email: bob.user.email, role: "admin" }, await as(owner));
    const back = await as(await signIn({ email: bob.user.email, password }, new Date(), here));
    await auth.acceptInvitation({ token: await mailedToken(bob.user.email) }, back);
    expect(await reason(identify(key))).toBe("invalid_token");
    expect((await auth.listApiKeys({}, await as(owner))).keys).toEqual([]);
    const told = await systemQuery("test", "select type from events.outbox where aggregate_id = $1 order by id", [id]);
    expect(told).toEqual([{ type: "auth.api-key.created" }, { type: "auth.api-key.revoked" }]);
  });

  test("lets its address register into the organisation, verified by that", async () => {
    const owner = await person();
    const { email } = newcomer();
    await auth.inviteMember({ email, role: "viewer" }, await as(owner));
    const invitation = await mailedToken(email);
    const both = { email, password, invitation, organisation: "Mine" };
    expect(await reason(register(both, new Date()))).toBe("invalid_request");
    expect(await reason(register({ email, password }, new Date()))).toBe("invalid_request");
    const bob = await register({ email, password, invitation }, new Date());
    expect(bob.organisation).toEqual({ ...owner.organisation, role: "viewer" });
    const me = await auth.me(await as(bob));
    expect(me).toMatchObject({ user: { emailVerified: true }, organisation: { id: owner.organisation.id } });
    expect(me.organisations).toHaveLength(1);
    expect((await mailsTo(email)).map(({ subject }) => subject)).toEqual(["You are invited"]);
  });

  test("never gives more than its maker has: not when it is made, nor when they were demoted or removed since", async () => {
    const owner = await person();
    const [admin, second] = [await colleague(owner, "admin"), await colleague(owner, "admin")];
    const invite = async (by: SignedIn, email: string, role: Role): Promise<string | undefined> =>
      reason(auth.inviteMember({ email, role }, await as(by)));
    const [bob, eve] = [await person(), await person()];
    expect(await invite(admin, bob.user.email, "owner")).toBe("permission_denied");
    expect(await invite(admin, bob.user.email, "admin")).toBeUndefined();
    expect(await invite(second, eve.user.email, "viewer")).toBeUndefined();
    const tokens = [await mailedToken(bob.user.email), await mailedToken(eve.user.email)];
    await auth.changeMember({ userId: admin.user.id, role: "member" }, await as(owner));
    await auth.removeMember({ userId: second.user.id }, await as(owner));
    expect(await reason(auth.acceptInvitation({ token: tokens[0] ?? "" }, await as(bob)))).toBe("invitation_not_found");
    expect(await reason(auth.acceptInvitation({ token: tokens[1] ?? "" }, await as(eve)))).toBe("invitation_not_found");
    const demoted = await refreshSession(admin.refreshToken, new Date(), here);
    expect(await invite(demoted, eve.user.email, "viewer")).toBe("permission_denied");
  });

  test("is replaced by a newer one for the same address, and can be taken back", async () => {
    const [owner, bob] = [await person(), await person()];
    const caller = await as(owner);
    await auth.inviteMember({ email: bob.user.email, role: "admin" }, caller);
    const first = await mailedToken(bob.user.email);
    const { id } = await auth.inviteMember({ email: bob.user.email, role: "viewer" }, caller);
    const { invitations } = await auth.listInvitations({}, caller);
    expect(invitations).toMatchObject([{ id, role: "viewer", invitedBy: owner.user.id }]);
    expect(await reason(auth.acceptInvitation({ token: first }, await as(bob)))).toBe("invitation_not_found");
    const second = await mailedToken(bob.user.email);
    const stranger = await as(await person());
    for (const wrong of [id, crypto.randomUUID(), "x"])
      expect(await reason(auth.revokeInvitation({ id: wrong }, stranger))).toBe("invitation_not_found");
    await auth.revokeInvitation({ id }, caller);
    expect(await reason(auth.revokeInvitation({ id }, caller))).toBe("invitation_not_found");
    expect(await reason(auth.acceptInvitation({ token: second }, await as(bob)))).toBe("invitation_not_found");
  });

  test("expires after a week, and upkeep removes it", async () => {
    const [owner, bob] = [await person(), await person()];
    const { id } = await auth.inviteMember({ email: bob.user.email, role: "member" }, await as(owner));
    const token = await mailedToken(bob.user.email);
    await systemQuery("test", "update auth.invitation set expires_at = now() - interval '1 second' where id = $1", [
      id,
    ]);
    expect(await reason(auth.acceptInvitation({ token }, await as(bob)))).toBe("invitation_not_found");
    expect((await auth.listInvitations({}, await as(owner))).invitations).toEqual([]);
    expect((await purgeEnded()).invitations).toBe(1);
  });

  test("is refused for a member, for no address, beyond 200 pending ones, and to who may not manage members", async () => {
    const owner = await person();
    const member = await colleague(owner, "member");
    const caller = await as(owner);
    const invite = (email: string): Promise<string | undefined> =>
      reason(auth.inviteMember({ email, role: "viewer" }, caller));
    expect(await invite(member.user.email)).toBe("already_member");
    expect(await invite("nobody")).toBe("invalid_request");
    const forbidden = auth.inviteMember({ email: newcomer().email, role: "viewer" }, await as(member));
    expect(await reason(forbidden)).toBe("permission_denied");
    await systemQuery(
      "test",
      `insert into auth.invitation (id, tenant_id, email, role, invited_by, expires_at)
       select gen_random_uuid(), $1, n || '@example.com', 'viewer', $2, now() + interval '1 day' from generate_series(1, 200) n`,
      [owner.organisation.id, owner.user.id],
    );
    expect(await invite(newcomer().email)).toBe("too_many_invitations");
    expect(await invite("1@example.com")).toBeUndefined();
  });

  test("and what becomes of it are events and in the audit log", async () => {
    const [owner, bob] = [await person(), await person()];
    const { id } = await auth.inviteMember({ email: bob.user.email, role: "member" }, await as(owner));
    await auth.acceptInvitation({ token: await mailedToken(bob.user.email) }, await as(bob));
    const { id: other } = await auth.inviteMember({ email: newcomer().email, role: "viewer" }, await as(owner));
    await auth.revokeInvitation({ id: other }, await as(owner));
    const entries = await systemQuery<{ action: string; actor: string; target: string; personal: object }>(
      "test",
      "select action, actor, target_id as target, personal from audit.entry where tenant_id = $1 order by seq offset 1",
      [owner.organisation.id],
    );
    expect(entries).toMatchObject([
      {
        action: "auth.member.invited",
        actor: `user:${owner.user.id}`,
        target: id,
        personal: { email: bob.user.email },
      },
      { action: "auth.member.joined", actor: `user:${bob.user.id}`, target: bob.user.id },
      { action: "auth.member.invited", target: other },
      { action: "auth.invitation.revoked", actor: `user:${owner.user.id}`, target: other },
    ]);
    const events = await systemQuery<{ type: string }>(
      "test",
      "select type from events.outbox where tenant_id = $1 and destination = 'event' order by created_at, id",
      [owner.organisation.id],
    );
    expect(events.map(({ type }) => type).filter((type) => /invit|joined/.test(type))).toEqual([
      "auth.member.invited",
      "auth.member.joined",
      "auth.member.invited",
      "auth.invitation.revoked",
    ]);
  });

  test("does not carry an advertisement in the name of the organisation, or of a role that it made", () => {
    const settings = { appUrl: "https://app.example.com", isMailbox: false };
    const written = (organisationName: string, madeRole: string | null): string =>
      invitationText("t", { organisationName, role: "viewer", madeRole }, settings).text;
    const bare = "member.\n\nYour account will be closed: evil";
    for (const name of ["Win at http://evil.example", "evil.example", "go to evil@example", "evil\u2028", bare])
      for (const mail of [written(name, null), written("Acme", name)]) expect(mail).not.toContain("evil");
    expect(written("Acme Inc. & Co", "Head of sales")).toContain("to “Acme Inc. & Co”, as “Head of sales”.");
    const text = written("evil.example", null);
    expect(text).toContain("to an organisation, as viewer.");
    expect(text).toContain("https://app.example.com/accept-invitation#token=t");
    expect(text).not.toContain("POST");
  });
});
