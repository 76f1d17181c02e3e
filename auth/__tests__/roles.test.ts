// Roles that an organisation makes of permissions.
import { auth, audit, vectors } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import type { AuthData } from "../../security/principal";
import { matrix, permissions, rolePermissions, roles } from "../../security/permissions";
import { register, type Registered } from "../registration";
import { refreshSession, type SignedIn } from "../sessions";
import { purgeEnded } from "../upkeep";
import { as, identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { here, newcomer, reason } from "./people";

interface Acting {
  authData: AuthData;
}
const person = async (): Promise<Registered & { email: string }> => {
  const wanted = newcomer();
  return { ...(await register(wanted, new Date())), email: wanted.email };
};

interface Organisation {
  owner: Acting;
  tenantId: string;
}
const organisation = async (): Promise<Organisation> => {
  const owner = await person();
  return { owner: await as(owner), tenantId: owner.organisation.id };
};

interface Colleague extends Acting {
  userId: string;
  email: string;
  /** As they are now: a new token. */
  again(): Promise<SignedIn>;
}

/** A member with the built-in role or one that was made, and the access token that says so. */
async function colleague({ owner, tenantId }: Organisation, role: string, roleId?: string): Promise<Colleague> {
  const somebody = await person();
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'viewer')", [
    tenantId,
    somebody.user.id,
  ]);
  const given = { role: role as "member", ...(roleId === undefined ? {} : { roleId }) };
  await auth.changeMember({ userId: somebody.user.id, ...given }, owner);
  const there = await auth.switchTo({ organisationId: tenantId }, await as(somebody));
  let refreshToken = there.refreshToken;
  const again = async (): Promise<SignedIn> => {
    const next = await refreshSession(refreshToken, new Date(), here);
    refreshToken = next.refreshToken;
    return next;
  };
  return { ...(await as(there)), userId: somebody.user.id, email: somebody.email, again };
}

const manager = ["member.read", "member.manage", "role.read", "role.manage", "document.read", "document.write"];

describe("a role that an organisation makes", () => {
  test("fills the permissions of whoever has it, in access tokens, keys and the lists", async () => {
    const acme = await organisation();
    const made = await auth.createRole(
      { name: "Writers", permissions: ["document.write", "document.read", "api_key.manage"] },
      acme.owner,
    );
    expect(made.permissions).toEqual(["api_key.manage", "document.read", "document.write"]);
    const writer = await colleague(acme, "custom", made.id);
    expect(writer.authData).toMatchObject({ tenantId: acme.tenantId, scope: made.permissions.join(" ") });
    expect(writer.authData.role).toBeUndefined();
    expect(await auth.me(writer)).toMatchObject({ kind: "user", role: "custom", permissions: made.permissions });
    await vectors.ingest({ source: "a.md", text: "By a writer." }, writer);
    expect(await reason(auth.listMembers({}, writer))).toBe("permission_denied");
    const { key, permissions: scope } = await auth.createApiKey({ name: "k" }, writer);
    expect([scope, (await identify(key)).scope]).toEqual([
      ["document.read", "document.write"],
      "document.read document.write",
    ]);
    const { members } = await auth.listMembers({}, acme.owner);
    expect(members.find(({ id }) => id === writer.userId)).toMatchObject({ role: "custom", roleId: made.id });
    expect((await auth.listRoles({}, acme.owner)).roles).toEqual([
      { ...made, members: 1, createdAt: expect.any(String) },
    ]);
    expect((await identify((await writer.again()).accessToken)).scope).toBe(made.permissions.join(" "));
  });

  test("that changes reaches everybody who has it at once here, by one revocation, and their keys within two seconds", async () => {
    const acme = await organisation();
    const { id } = await auth.createRole(
      { name: "Writers", permissions: ["document.write", "document.read", "api_key.manage"] },
      acme.owner,
    );
    const [ada, bob] = [await colleague(acme, "custom", id), await colleague(acme, "custom", id)];
    const token = (await ada.again()).accessToken;
    await identify(token);
    const { key } = await auth.createApiKey({ name: "k" }, ada);
    const before = await systemQuery<{ n: number }>("test", "select count(*)::int as n from auth.revocation");
    await auth.changeRole({ id, permissions: ["document.read"] }, acme.owner);
    const after = await systemQuery<{ n: number }>("test", "select count(*)::int as n from auth.revocation");
    expect((after[0]?.n ?? 0) - (before[0]?.n ?? 0)).toBe(1);
    expect(await reason(identify(token))).toBe("invalid_token");
    for (const { again } of [ada, bob])
      expect((await identify((await again()).accessToken)).scope).toBe("document.read");
    const now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => now + 2_000);
    expect((await identify(key)).scope).toBe("document.read");
    vi.restoreAllMocks();
    // Given another role, the token of the role before is refused, and so is one of before it is given back.
    const old = (await ada.again()).accessToken;
    await auth.changeMember({ userId: ada.userId, role: "member" }, acme.owner);
    expect(await reason(identify(old))).toBe("invalid_token");
    expect(await identify((await ada.again()).accessToken)).toMatchObject({ role: "member" });
  });

  test("gives nobody what they have not: made, widened, narrowed, assigned, invited to or taken away by somebody weaker", async () => {
    const acme = await organisation();
    const { owner } = acme;
    const { id: own } = await auth.createRole({ name: "Managers", permissions: manager }, owner);
    const { id: strong } = await auth.createRole({ name: "Auditors", permissions: [...manager, "audit.read"] }, owner);
    const { id: weak } = await auth.createRole({ name: "Readers", permissions: ["document.read"] }, owner);
    const eve = await colleague(acme, "custom", own);
    const [admin, reader] = [await colleague(acme, "admin"), await colleague(acme, "custom", weak)];
    const viewer = await colleague(acme, "viewer");
    const email = newcomer().email;
    const attempts = {
      "makes a role with more": () => auth.createRole({ name: "x", permissions: ["document.read", "audit.read"] }, eve),
      "widens the role that she has": () => auth.changeRole({ id: own, permissions: [...manager, "audit.read"] }, eve),
      "widens another role": () => auth.changeRole({ id: weak, permissions: ["document.delete"] }, eve),
      "narrows a stronger role": () => auth.changeRole({ id: strong, permissions: ["document.read"] }, eve),
      "renames a stronger role": () => auth.changeRole({ id: strong, name: "y" }, eve),
      "deletes a stronger role": () => auth.deleteRole({ id: strong }, eve),
      "gives herself a stronger role": () =>
        auth.changeMember({ userId: eve.userId, role: "custom", roleId: strong }, eve),
      "gives herself a built-in role": () => auth.changeMember({ userId: eve.userId, role: "admin" }, eve),
      "gives another a stronger role": () =>
        auth.changeMember({ userId: reader.userId, role: "custom", roleId: strong }, eve),
      "gives another what is built in": () => auth.changeMember({ userId: reader.userId, role: "member" }, eve),
      "demotes an admin": () => auth.changeMember({ userId: admin.userId, role: "custom", roleId: weak }, eve),
      "removes an admin": () => auth.removeMember({ userId: admin.userId }, eve),
      "removes a viewer, who reads what she cannot": () => auth.removeMember({ userId: viewer.userId }, eve),
      "removes an owner": () => auth.removeMember({ userId: owner.authData.userID }, eve),
      "invites to a stronger role": () => auth.inviteMember({ email, role: "custom", roleId: strong }, eve),
      "invites an admin": () => auth.inviteMember({ email, role: "admin" }, eve),
    };
    for (const [what, attempt] of Object.entries(attempts))
      expect([what, await reason(attempt())]).toEqual([what, "permission_denied"]);
    // The same by a token that says owner, of somebody who is none any more.
    const { scope: _, ...said } = eve.authData;
    const stale = { authData: { ...said, role: "owner" as const } };
    expect(await reason(auth.createRole({ name: "x", permissions: ["audit.read"] }, stale))).toBe("permission_denied");
    // What is within her own reach.
    const { id } = await auth.createRole({ name: "Helpers", permissions: ["document.read", "member.read"] }, eve);
    await auth.changeMember({ userId: reader.userId, role: "custom", roleId: id }, eve);
    await auth.changeRole({ id, permissions: manager }, eve);
    await auth.removeMember({ userId: reader.userId }, eve);
    await auth.deleteRole({ id }, eve);
    await auth.changeRole({ id: own, permissions: ["document.read"] }, eve);
  });

  test("invites over nobody's invitation that it could not take back", async () => {
    const of = await organisation();
    const { id } = await auth.createRole({ name: "Greeters", permissions: ["member.read", "member.manage"] }, of.owner);
    const greeter = await colleague(of, "custom", id);
    const { email } = newcomer();
    const { id: invitation } = await auth.inviteMember({ email, role: "admin" }, of.owner);
    const again = { email, role: "custom" as const, roleId: id };
    expect(await reason(auth.inviteMember(again, greeter))).toBe("permission_denied");
    expect((await auth.listInvitations({}, of.owner)).invitations).toMatchObject([{ id: invitation, role: "admin" }]);
    await auth.inviteMember(again, of.owner);
    expect(await reason(auth.inviteMember(again, greeter))).toBeUndefined();
    const { entries } = await audit.listEntries({}, of.owner);
    expect(entries.filter(({ action }) => action === "auth.invitation.revoked")).toHaveLength(2);
  });

  test("that names a permission which no version knows any more, as machines and keys may, is changed and deleted like any other", async () => {
    const { owner, tenantId } = await organisation();
    const { id: roleId } = await auth.createRole({ name: "Readers", permissions: ["document.read"] }, owner);
    const { id } = await auth.createServicePrincipal({ name: "ci", permissions: ["document.read"] }, owner);
    const { id: keyId } = await auth.createApiKey({ name: "k", servicePrincipalId: id }, owner);
    for (const table of ["role", "service_principal", "api_key"])
      await systemQuery(
        "test",
        `update auth.${table} set permissions = permissions || '{gone.thing}' where tenant_id = $1`,
        [tenantId],
      );
    await auth.changeRole({ id: roleId, name: "Others" }, owner);
    await auth.deleteRole({ id: roleId }, owner);
    await auth.rotateApiKey({ id: keyId, overlapHours: 0 }, owner);
    await auth.changeServicePrincipal({ id, disabled: true }, owner);
    await auth.deleteServicePrincipal({ id }, owner);
  });

  test("holds nothing that only an owner has, has one name, and goes when nobody has it", async () => {
    const acme = await organisation();
    const { owner } = acme;
    const ownerOnly = permissions.filter((name) => roles.every((role) => role === "owner" || !matrix[name][role]));
    expect(ownerOnly).toContain("organisation.delete");
    expect(rolePermissions.filter((name) => ownerOnly.includes(name))).toEqual([]);
    for (const wrong of [[], ["document.burn"], ...ownerOnly.map((name) => ["document.read", name])])
      expect([wrong, await reason(auth.createRole({ name: "x", permissions: wrong }, owner))]).toEqual([
        wrong,
        "invalid_request",
      ]);
    const read = ["document.read"];
    const { id } = await auth.createRole({ name: "Readers", permissions: read }, owner);
    for (const taken of ["readers", " Readers ", "Admin", "custom"])
      expect([taken, await reason(auth.createRole({ name: taken, permissions: read }, owner))]).toEqual([
        taken,
        "role_exists",
      ]);
    await auth.changeRole({ id, name: "READERS" }, owner);
    const bob = await colleague(acme, "custom", id);
    expect(await reason(auth.deleteRole({ id }, owner))).toBe("role_in_use");
    await auth.removeMember({ userId: bob.userId }, owner);
    const { email } = newcomer();
    const invited = await auth.inviteMember({ email, role: "custom", roleId: id }, owner);
    expect(await reason(auth.deleteRole({ id }, owner))).toBe("role_in_use");
    await auth.revokeInvitation({ id: invited.id }, owner);
    await auth.deleteRole({ id }, owner);
    expect((await auth.listRoles({}, owner)).roles).toEqual([]);
    const { entries } = await audit.listEntries({}, owner);
    expect(entries.map(({ action }) => action).filter((action) => action.startsWith("auth.role."))).toEqual([
      "auth.role.deleted",
      "auth.role.changed",
      "auth.role.created",
    ]);
    await systemQuery(
      "test",
      `insert into auth.role (id, tenant_id, name, permissions)
       select gen_random_uuid(), $1, 'r' || n, '{document.read}' from generate_series(1, 50) as n`,
      [acme.tenantId],
    );
    expect(await reason(auth.createRole({ name: "one more", permissions: read }, owner))).toBe("too_many_roles");
  });

  test("is joined by invitation, which names it in the mail and counts while who invited holds it", async () => {
    const acme = await organisation();
    const { owner } = acme;
    const { id: own } = await auth.createRole({ name: "Managers", permissions: manager }, owner);
    const { id } = await auth.createRole(
      { name: "Night shift", permissions: ["document.read", "document.write"] },
      owner,
    );
    const eve = await colleague(acme, "custom", own);
    const [bob, carol] = [await person(), await person()];
    for (const { email } of [bob, carol]) await auth.inviteMember({ email, role: "custom", roleId: id }, eve);
    expect((await mailsTo(bob.email))[0]?.text).toContain("as “Night shift”");
    await auth.acceptInvitation({ token: await mailedToken(bob.email) }, await as(bob));
    const there = await auth.switchTo({ organisationId: acme.tenantId }, await as(bob));
    expect((await identify(there.accessToken)).scope).toBe("document.read document.write");
    const token = await mailedToken(carol.email);
    await auth.changeRole({ id, permissions: ["document.read", "document.write", "audit.read"] }, owner);
    expect(await reason(auth.acceptInvitation({ token }, await as(carol)))).toBe("invitation_not_found");
  });

  test("of another organisation is answered as one that does not exist, asks for a fresh sign-in, and goes with its organisation", async () => {
    const [acme, other] = [await organisation(), await organisation()];
    const { owner } = acme;
    const { id } = await auth.createRole({ name: "Readers", permissions: ["document.read"] }, owner);
    const bob = await colleague(other, "member");
    expect((await auth.listRoles({}, other.owner)).roles).toEqual([]);
    for (const wrong of [id, crypto.randomUUID(), "x"]) {
      const attempts = [
        auth.changeRole({ id: wrong, name: "x" }, other.owner),
        auth.deleteRole({ id: wrong }, other.owner),
        auth.changeMember({ userId: bob.userId, role: "custom", roleId: wrong }, other.owner),
        auth.inviteMember({ email: newcomer().email, role: "custom", roleId: wrong }, other.owner),
      ];
      expect(await Promise.all(attempts.map(reason))).toEqual(Array(4).fill("role_not_found"));
    }
    for (const wrong of [{ role: "custom" }, { role: "member", roleId: id }] as const)
      expect(await reason(auth.changeMember({ userId: bob.userId, ...wrong }, other.owner))).toBe("invalid_request");
    const stale = { authData: { ...owner.authData, authTime: "1" } };
    const dangerous = [
      auth.createRole({ name: "x", permissions: ["document.read"] }, stale),
      auth.changeRole({ id, name: "x" }, stale),
      auth.deleteRole({ id }, stale),
      auth.changeMember({ userId: bob.userId, role: "owner" }, stale),
    ];
    expect(await Promise.all(dangerous.map(reason))).toEqual(Array(4).fill("step_up_required"));
    await colleague(acme, "custom", id);
    await auth.inviteMember({ email: newcomer().email, role: "custom", roleId: id }, owner);
    await systemQuery("test", "update auth.organisation set purge_at = now() where id = $1", [acme.tenantId]);
    expect(await purgeEnded()).toMatchObject({ organisations: 1 });
    expect(await systemQuery("test", "select 1 from auth.role where tenant_id = $1", [acme.tenantId])).toEqual([]);
  });
});
