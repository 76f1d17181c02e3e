import { audit, auth, vectors } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { createCaller, registerCaller, type RegisteredCaller } from "../../testing";
import type { AuthData } from "../../security/principal";
import { identify } from "./callers";
import { reason } from "./people";

interface Acting {
  authData: AuthData;
}

const withRole = async (organisation: RegisteredCaller, role: string): Promise<Acting> => {
  const person = await registerCaller();
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)", [
    organisation.tenantId,
    person.principal.subjectId,
    role,
  ]);
  return { authData: { ...person.authData, tenantId: organisation.tenantId, role: role as "admin" } };
};

let moments = 0;
/** What is remembered of keys is forgotten. */
const aMomentLater = (): void => {
  vi.restoreAllMocks();
  const now = performance.now() + ++moments * 2_000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
};

const permissions = ["document.read", "document.write"];
const machine = async (caller: Acting): Promise<{ id: string; key: string }> => {
  const { id } = await auth.createServicePrincipal({ name: `ci ${crypto.randomUUID()}`, permissions }, caller);
  const { key } = await auth.createApiKey({ name: "deploy", servicePrincipalId: id }, caller);
  return { id, key };
};

describe("a service principal", () => {
  test("signs in with keys of its own, acts within its permissions, and is named in the audit log", async () => {
    const owner = await registerCaller();
    const { id } = await auth.createServicePrincipal({ name: "ci", permissions }, owner);
    const { key, permissions: scope } = await auth.createApiKey(
      { name: "read", servicePrincipalId: id, permissions: ["document.read", "document.delete"] },
      owner,
    );
    expect(scope).toEqual(["document.read"]);
    const { key: all, id: keyId } = await auth.createApiKey({ name: "all", servicePrincipalId: id }, owner);
    const authData = await identify(all);
    const held = {
      kind: "service",
      scope: permissions.join(" "),
      keyId,
      keyDigest: expect.stringMatching(/^[\w-]{11}$/) as string,
    };
    expect(authData).toEqual({ userID: id, tenantId: owner.tenantId, ...held });
    expect(await auth.me({ authData })).toMatchObject({ kind: "service", permissions, organisations: [] });
    expect(await reason(auth.listSessions({ authData }))).toBe("permission_denied");
    expect(await reason(vectors.ingest({ source: "a", text: "b" }, { authData: await identify(key) }))).toBe(
      "permission_denied",
    );
    const document = await vectors.ingest({ source: "a.md", text: "Of a machine." }, { authData });
    expect(await reason(vectors.removeDocument({ id: document.id }, { authData }))).toBe("permission_denied");
    const { servicePrincipals } = await auth.listServicePrincipals({}, owner);
    expect(servicePrincipals).toEqual([
      {
        id,
        name: "ci",
        permissions,
        disabled: false,
        keys: 2,
        createdAt: expect.any(String),
        lastUsedAt: expect.any(String),
      },
    ]);
    const listed = (await auth.listApiKeys({}, owner)).keys;
    expect(listed.map(({ servicePrincipalId, createdBy }) => ({ servicePrincipalId, createdBy }))).toEqual([
      { servicePrincipalId: id },
      { servicePrincipalId: id },
    ]);
    const said = await systemQuery<{ actor: string }>(
      "test",
      "select headers->>'actor' as actor from events.outbox where tenant_id = $1 and type = 'vectors.document.ingested'",
      [owner.tenantId],
    );
    expect(said).toEqual([{ actor: `service:${id}` }]);
    await auth.changeServicePrincipal({ id, name: "build" }, owner);
    await auth.deleteServicePrincipal({ id }, owner);
    const { entries } = await audit.listEntries({}, owner);
    expect(entries.map(({ action }) => action).reverse()).toEqual([
      "auth.organisation.created",
      "auth.service_principal.created",
      "auth.api_key.created",
      "auth.api_key.created",
      "auth.service_principal.changed",
      "auth.api_key.revoked",
      "auth.api_key.revoked",
      "auth.service_principal.deleted",
    ]);
  });

  test("stays when the person who made it leaves or is demoted; a person's own key does not", async () => {
    const owner = await registerCaller();
    const admin = await withRole(owner, "admin");
    const { key } = await machine(admin);
    const own = await auth.createApiKey({ name: "mine" }, admin);
    await auth.changeMember({ userId: admin.authData.userID, role: "viewer" }, owner);
    aMomentLater();
    expect((await identify(own.key)).scope).toBe(
      "organisation.read member.read document.read asset.read flag.read catalogue.read order.read ledger.read",
    );
    expect((await identify(key)).scope).toBe(permissions.join(" "));
    await auth.removeMember({ userId: admin.authData.userID }, owner);
    aMomentLater();
    expect(await reason(identify(own.key))).toBe("invalid_token");
    expect(await identify(key)).toMatchObject({ kind: "service", scope: permissions.join(" ") });
    vi.restoreAllMocks();
  });

  test("that is changed, disabled or deleted takes its keys along within two seconds", async () => {
    const owner = await registerCaller();
    const { id, key } = await machine(owner);
    expect((await identify(key)).scope).toBe("document.read document.write");
    await auth.changeServicePrincipal({ id, permissions: ["document.read"] }, owner);
    aMomentLater();
    expect((await identify(key)).scope).toBe("document.read");
    expect(await auth.changeServicePrincipal({ id, disabled: true }, owner)).toMatchObject({ disabled: true });
    aMomentLater();
    expect(await reason(identify(key))).toBe("invalid_token");
    await auth.changeServicePrincipal({ id, disabled: false }, owner);
    aMomentLater();
    expect((await identify(key)).scope).toBe("document.read");
    await auth.deleteServicePrincipal({ id }, owner);
    aMomentLater();
    expect(await reason(identify(key))).toBe("invalid_token");
    vi.restoreAllMocks();
    expect((await auth.listApiKeys({}, owner)).keys).toEqual([]);
  });

  test("never holds what is for people, nor what whoever makes or changes it has not, by the database and not by their token", async () => {
    const owner = await registerCaller();
    for (const forPeople of ["member.manage", "api_key.manage", "service_principal.manage", "organisation.delete"]) {
      const wanted = { name: forPeople, permissions: [forPeople, "document.read"] };
      expect([forPeople, await reason(auth.createServicePrincipal(wanted, owner))]).toEqual([
        forPeople,
        "permission_denied",
      ]);
    }
    for (const wrong of [[], ["document.burn"]])
      expect(await reason(auth.createServicePrincipal({ name: "x", permissions: wrong }, owner))).toBe(
        "invalid_request",
      );
    const { id } = await auth.createServicePrincipal(
      { name: "strong", permissions: ["audit.read", "document.read"] },
      owner,
    );
    const { id: keyId } = await auth.createApiKey({ name: "k", servicePrincipalId: id }, owner);
    const { id: keeper } = await auth.createRole(
      { name: "Keys", permissions: ["api_key.manage", "document.read"] },
      owner,
    );
    // A token that says admin, two seconds old, of somebody who is a member by now.
    const demoted = await withRole(owner, "member");
    const stale = { authData: { ...demoted.authData, role: "admin" as const } };
    const attempts = {
      create: () => auth.createServicePrincipal({ name: "y", permissions: ["audit.read"] }, stale),
      widen: () => auth.changeServicePrincipal({ id, permissions: ["audit.read", "document.write"] }, stale),
      weaken: () => auth.changeServicePrincipal({ id, permissions: ["document.read"] }, stale),
      disable: () => auth.changeServicePrincipal({ id, disabled: true }, stale),
      remove: () => auth.deleteServicePrincipal({ id }, stale),
      learn: () => auth.rotateApiKey({ id: keyId }, stale),
    };
    for (const [what, attempt] of Object.entries(attempts))
      expect([what, await reason(attempt())]).toEqual([what, "permission_denied"]);
    expect(await reason(auth.createApiKey({ name: "k", servicePrincipalId: id }, stale))).toBe("permission_denied");
    // Who may make keys and holds less than the machine gives no more than both have.
    await systemQuery(
      "test",
      "update auth.membership set role = 'custom', role_id = $3 where tenant_id = $1 and account_id = $2",
      [owner.tenantId, demoted.authData.userID, keeper],
    );
    const { permissions: least } = await auth.createApiKey({ name: "k", servicePrincipalId: id }, stale);
    expect(least).toEqual(["document.read"]);
    await auth.rotateApiKey({ id: keyId }, owner);
    // What the machine may not do at the moment it may again later, with a key whose secret somebody learnt meanwhile.
    await auth.changeServicePrincipal({ id, permissions: ["document.read"] }, owner);
    expect(await reason(auth.rotateApiKey({ id: keyId }, stale))).toBe("permission_denied");
    await auth.rotateApiKey({ id: keyId }, owner);
  });

  test("of another organisation is answered as one that does not exist; names are taken once, and a machine manages none", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    const { id } = await auth.createServicePrincipal({ name: "ci", permissions }, owner);
    expect((await auth.listServicePrincipals({}, stranger)).servicePrincipals).toEqual([]);
    for (const wrong of [id, crypto.randomUUID(), "x"]) {
      expect(await reason(auth.changeServicePrincipal({ id: wrong, disabled: true }, stranger))).toBe(
        "service_principal_not_found",
      );
      expect(await reason(auth.deleteServicePrincipal({ id: wrong }, stranger))).toBe("service_principal_not_found");
      const theirs = auth.createApiKey({ name: "x", servicePrincipalId: wrong }, stranger);
      expect(await reason(theirs)).toBe("service_principal_not_found");
    }
    expect(await reason(auth.createServicePrincipal({ name: " ci ", permissions }, owner))).toBe(
      "service_principal_exists",
    );
    const other = await auth.createServicePrincipal({ name: "cd", permissions }, owner);
    expect(await reason(auth.changeServicePrincipal({ id: other.id, name: "ci" }, owner))).toBe(
      "service_principal_exists",
    );
    await auth.createServicePrincipal({ name: "ci", permissions }, stranger);
    for (const caller of [createCaller("member", owner), createCaller("viewer", owner)])
      expect(await reason(auth.createServicePrincipal({ name: "z", permissions }, caller))).toBe("permission_denied");
    const stepUp = { authData: { ...owner.authData, authTime: "1" } };
    expect(await reason(auth.createServicePrincipal({ name: "z", permissions }, stepUp))).toBe("step_up_required");
  });
});
