// What becomes of an organisation: renamed, left, handed over, deleted and restored.
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { ownerPool } from "../../db/__tests__/owner";
import { systemQuery, withSystem } from "../../db/tenant";
import type { Role } from "../../security/permissions";
import { GRACE_DAYS } from "../organisation-life";
import { register, type Registered } from "../registration";
import { refreshSession, signIn, type SignedIn } from "../sessions";
import { accountFindForUpdate } from "../store/accounts";
import { purgeEnded } from "../upkeep";
import { as, identify } from "./callers";
import { count, here, newcomer, password, reason } from "./people";

const person = async (): Promise<Registered> => register(newcomer(), new Date());
const withMember = async (role: Role): Promise<{ owner: Registered; member: SignedIn; id: string }> => {
  const [owner, joining] = [await person(), await person()];
  const { id } = owner.organisation;
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, $3)", [
    id,
    joining.user.id,
    role,
  ]);
  return { owner, id, member: await auth.switchTo({ organisationId: id }, await as(joining)) };
};
const actionsOf = async (id: string): Promise<string[]> => {
  const rows = await systemQuery<{ action: string }>(
    "test",
    "select action from audit.entry where tenant_id = $1 order by seq offset 1",
    [id],
  );
  return rows.map(({ action }) => action);
};

describe("an organisation", () => {
  test("is read by its members and renamed by who may, and any other is as if it did not exist", async () => {
    const { owner, member, id } = await withMember("member");
    const stranger = await as(await person());
    const named = await auth.renameOrganisation({ id, name: " New\u0065\u0301 " }, await as(owner));
    expect(named).toEqual({ id, name: "New\u00e9" });
    expect(await auth.readOrganisation({ id }, await as(member))).toEqual({
      ...named,
      createdAt: expect.any(String) as string,
    });
    expect(await reason(auth.renameOrganisation({ id, name: "x" }, await as(member)))).toBe("permission_denied");
    expect(await reason(auth.renameOrganisation({ id, name: " " }, await as(owner)))).toBe("invalid_request");
    for (const wrong of [id, crypto.randomUUID(), "x"]) {
      expect(await reason(auth.readOrganisation({ id: wrong }, stranger))).toBe("organisation_not_found");
      expect(await reason(auth.renameOrganisation({ id: wrong, name: "x" }, stranger))).toBe("organisation_not_found");
      expect(await reason(auth.deleteOrganisation({ id: wrong }, stranger))).toBe("organisation_not_found");
      expect(await reason(auth.restoreOrganisation({ id: wrong }, stranger))).toBe("organisation_not_found");
      expect(await reason(auth.leaveOrganisation({ id: wrong }, stranger))).toBe("organisation_not_found");
      const to = { id: wrong, userId: owner.user.id };
      expect(await reason(auth.transferOrganisation(to, stranger))).toBe("organisation_not_found");
    }
    expect(await actionsOf(id)).toEqual(["auth.organisation.renamed"]);
  });

  test("is left by a member at once, and by its last owner not at all", async () => {
    const { owner, member, id } = await withMember("admin");
    expect(await reason(auth.leaveOrganisation({ id }, await as(owner)))).toBe("last_owner");
    await auth.leaveOrganisation({ id }, await as(member));
    expect(await reason(identify(member.accessToken))).toBe("invalid_token");
    const back = await refreshSession(member.refreshToken, new Date(), here);
    expect(back.organisation).toBeNull();
    expect(await reason(auth.leaveOrganisation({ id }, await as(back)))).toBe("organisation_not_found");
    expect(await actionsOf(id)).toEqual(["auth.member.left"]);
  });

  test("is handed over by an owner to a member, whole or not at all", async () => {
    const { owner, member, id } = await withMember("member");
    const stranger = await person();
    expect(await reason(auth.transferOrganisation({ id, userId: owner.user.id }, await as(member)))).toBe(
      "permission_denied",
    );
    for (const userId of [stranger.user.id, owner.user.id, "x"])
      expect(await reason(auth.transferOrganisation({ id, userId }, await as(owner)))).toBe("member_not_found");
    await auth.transferOrganisation({ id, userId: member.user.id }, await as(owner));
    const [before, now] = [
      await refreshSession(owner.refreshToken, new Date(), here),
      await refreshSession(member.refreshToken, new Date(), here),
    ];
    expect([before.organisation?.role, now.organisation?.role]).toEqual(["admin", "owner"]);
    expect(await reason(auth.transferOrganisation({ id, userId: owner.user.id }, await as(before)))).toBe(
      "permission_denied",
    );
  });

  test("that is deleted lets nobody in, by token, session, sign-in, switch or key, until an owner restores it", async () => {
    const { owner, member, id } = await withMember("admin");
    const { key } = await auth.createApiKey({ name: "ci" }, await as(owner));
    expect(await reason(auth.deleteOrganisation({ id }, await as(member)))).toBe("permission_denied");
    const { purgeAt } = await auth.deleteOrganisation({ id }, await as(owner));
    expect((Date.parse(purgeAt) - Date.now()) / 86_400_000).toBeCloseTo(GRACE_DAYS, 1);
    // One row, however many its members.
    expect(await count(`auth.revocation where subject like '%${id}%'`)).toBe(1);
    for (const { accessToken } of [owner, member]) expect(await reason(identify(accessToken))).toBe("invalid_token");
    expect(await reason(identify(key))).toBe("invalid_token");
    const refreshed = await refreshSession(member.refreshToken, new Date(), here);
    expect(refreshed.organisation).toBeNull();
    expect(await reason(auth.switchTo({ organisationId: id }, await as(refreshed)))).toBe("organisation_not_found");
    expect(await reason(auth.restoreOrganisation({ id }, await as(refreshed)))).toBe("organisation_not_found");
    const again = await signIn({ email: owner.user.email, password }, new Date(), here);
    expect(again.organisation).toBeNull();
    // What every other way of signing in asks: a second factor, a passkey, a provider.
    const account = await withSystem("test", (tx) => accountFindForUpdate(tx, owner.user.id));
    expect(account).toMatchObject({ id: owner.user.id, organisation: null });
    const caller = await as(again);
    expect((await auth.me(caller)).organisations).toEqual([]);
    expect(await auth.organisations(caller)).toEqual({
      organisations: [],
      closing: [{ id, name: owner.organisation.name, purgeAt }],
    });
    await auth.restoreOrganisation({ id }, caller);
    expect(await reason(auth.restoreOrganisation({ id }, caller))).toBe("organisation_not_found");
    const back = await auth.switchTo({ organisationId: id }, caller);
    expect(await auth.me(await as(back))).toMatchObject({ organisation: { id }, role: "owner" });
    expect(await identify(key)).toMatchObject({ tenantId: id });
    expect(await reason(identify(owner.accessToken))).toBe("invalid_token");
    expect(await actionsOf(id)).toEqual([
      "auth.api_key.created",
      "auth.organisation.deletion_scheduled",
      "auth.organisation.restored",
    ]);
  });

  test("goes with its keys and memberships when the grace is over, and an event tells; accounts stay", async () => {
    // What other suites have left.
    await purgeEnded();
    const { owner, member, id } = await withMember("viewer");
    await auth.createApiKey({ name: "ci" }, await as(owner));
    expect((await auth.listApiKeys({}, await as(owner))).keys).toHaveLength(1);
    await auth.deleteOrganisation({ id }, await as(owner));
    expect((await purgeEnded()).organisations).toBe(0);
    await systemQuery("test", "update auth.organisation set purge_at = now() - interval '1 second' where id = $1", [
      id,
    ]);
    const again = await signIn({ email: owner.user.email, password }, new Date(), here);
    expect(await reason(auth.restoreOrganisation({ id }, await as(again)))).toBe("organisation_not_found");
    const tokens = async (): Promise<number> =>
      (await ownerPool().query("select from db.capability where of_tenant = $1", [id])).rowCount ?? -1;
    expect(await tokens()).toBe(1);
    expect((await purgeEnded()).organisations).toBe(1);
    expect(await tokens()).toBe(0);
    for (const table of ["membership", "api_key", "invitation"])
      expect(await count(`auth.${table} where tenant_id = '${id}'`)).toBe(0);
    const events = await systemQuery(
      "test",
      "select payload, tenant_id from events.outbox where type = 'auth.organisation.deleted' and aggregate_id = $1",
      [id],
    );
    expect(events).toEqual([{ payload: { organisationId: id }, tenant_id: null }]);
    expect(await signIn({ email: member.user.email, password }, new Date(), here)).toBeDefined();
    expect((await refreshSession(owner.refreshToken, new Date(), here)).organisation).toBeNull();
  });
});
