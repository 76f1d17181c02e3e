// Other values of flags for one organisation: set by staff, in the organisation's log, read from memory, and never by accident.
import { auth, flags as service } from "~encore/clients";
import { beforeAll, describe, expect, test } from "vitest";
import { entryList } from "../../audit/store";
import { platformLog } from "../../audit/platform";
import { flags } from "../../config";
import { systemQuery, tenantQuery, withTenant } from "../../db/tenant";
import { operatorPermissions } from "../../security/permissions";
import type { AuthData } from "../../security/principal";
import { reasonOf } from "../../security/errors";
import { createCaller, registerCaller, type RegisteredCaller } from "../../testing";
import { overrideMemory } from "../memory";
import { startFlags } from "../start";

const REASON = "ticket 4711: asked for by the organisation";
const operator: AuthData = {
  userID: "0190f2b0-0000-7000-8000-000000000003",
  kind: "operator",
  scope: operatorPermissions.join(" "),
  authTime: String(Date.now() / 1000),
};
/** As the last argument of an endpoint. */
const signedInAs = (authData: AuthData): never => ({ authData }) as never;
const staff = signedInAs(operator);
const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );

let acme: RegisteredCaller;
let globex: RegisteredCaller;
beforeAll(async () => {
  startFlags();
  acme = await registerCaller("Acme");
  globex = await registerCaller("Globex");
});

const set = (of: RegisteredCaller, flag: string, value: string, by = staff): Promise<void> =>
  auth.operatorSetFlag({ id: of.tenantId, flag, value, reason: REASON }, by);
const remove = (of: RegisteredCaller, flag: string): Promise<void> =>
  auth.operatorRemoveFlag({ id: of.tenantId, flag, reason: REASON }, staff);
const shown = async (of: RegisteredCaller): Promise<unknown> => (await service.list(of)).flags;
const look = (of: RegisteredCaller): ReturnType<typeof auth.operatorOrganisationFlags> =>
  auth.operatorOrganisationFlags({ id: of.tenantId, reason: REASON }, staff);
const DEFAULTS = { ownProvider: true, sqlSpans: "text" };

describe("an organisation's own value of a flag", () => {
  test("holds for it alone from the moment that it is set until it is taken back, and it reads why", async () => {
    expect(await shown(acme)).toEqual(DEFAULTS);
    await set(acme, "sqlSpans", "off");
    await set(acme, "ownProvider", "false");
    expect(await shown(acme)).toEqual({ ownProvider: false, sqlSpans: "off" });
    expect(await service.list(createCaller("viewer", acme))).toEqual(await service.list(acme));
    expect([flags.tier("sqlSpans", acme.tenantId), flags.isOn("ownProvider", acme.tenantId)]).toEqual(["off", false]);
    expect(await shown(globex)).toEqual(DEFAULTS);
    expect([flags.tier("sqlSpans"), flags.isOn("ownProvider")]).toEqual(["text", true]);
    const { flags: seen, stale } = await look(acme);
    expect(stale).toEqual([]);
    expect(seen).toMatchObject([
      { name: "ownProvider", allowed: ["true", "false"], default: "true", override: { value: "false" } },
      {
        name: "sqlSpans",
        kind: "tier",
        override: { value: "off", reason: REASON, changedBy: `operator:${operator.userID}` },
      },
    ]);

    await set(acme, "sqlSpans", "names");
    await remove(acme, "sqlSpans");
    await remove(acme, "ownProvider");
    expect(await shown(acme)).toEqual(DEFAULTS);
    const { rows } = await entryList(acme, undefined, 50, undefined);
    const told = rows.filter(({ action }) => action.startsWith("operator.flag."));
    expect(told.map(({ action, fields }) => ({ action, fields })).toReversed()).toEqual(
      [
        ["overridden", "sqlSpans", "off", null],
        ["overridden", "ownProvider", "false", null],
        ["overridden", "sqlSpans", "names", "off"],
        ["override_removed", "sqlSpans", null, "names"],
        ["override_removed", "ownProvider", null, "false"],
      ].map(([act, flag, value, previousValue]) => ({
        action: `operator.flag.${act}`,
        fields: { flag, value, previousValue, reason: REASON },
      })),
    );
    expect(new Set(told.map(({ actor }) => actor))).toEqual(new Set([`operator:${operator.userID}`]));
  });

  test("is refused where there is no such flag, value, organisation or reason, and to all but staff who may", async () => {
    const { tenantId: id } = acme;
    const refused = async (flag: string, value: string): Promise<unknown> => reason(set(acme, flag, value));
    expect(await refused("nothing", "true")).toBe("flag_not_found");
    // Of the installation alone.
    expect(await refused("docsPage", "false")).toBe("flag_not_found");
    expect(await refused("__proto__", "true")).toBe("flag_not_found");
    for (const value of ["1", "TRUE", "text"]) expect(await refused("ownProvider", value)).toBe("flag_value_refused");
    await expect(set(acme, "sqlSpans", "true")).rejects.toMatchObject({
      details: { reason: "flag_value_refused", allowed: ["off", "names", "text"] },
    });
    expect(await reason(remove(acme, "sqlSpans"))).toBe("flag_override_not_found");
    expect(await reason(remove(acme, "nothing"))).toBe("flag_override_not_found");
    const setting = { id, flag: "sqlSpans", value: "off" };
    expect(await reason(auth.operatorSetFlag({ ...setting, reason: "why" }, staff))).toBe("invalid_request");
    expect(await reason(auth.operatorSetFlag(setting, staff))).toBe("invalid_request");
    expect(await reason(auth.operatorSetFlag({ ...setting, id: crypto.randomUUID(), reason: REASON }, staff))).toBe(
      "operator_organisation_not_found",
    );
    const others = [acme, signedInAs({ ...operator, scope: "operator.flag.read operator.organisation.read" })];
    for (const by of others) expect(await reason(set(acme, "sqlSpans", "off", by as never))).toBe("permission_denied");
    expect(await reason(auth.operatorFlags(acme))).toBe("permission_denied");
    expect(await reason(service.list(staff))).toBe("permission_denied");
    expect(await shown(acme)).toEqual(DEFAULTS);
  });

  test("of a flag that was removed from the app is passed over, listed, and deleted when somebody takes it back", async () => {
    const { tenantId } = globex;
    await systemQuery(
      "test",
      `insert into flags.override (tenant_id, flag, value, reason, changed_by)
       values ($1, 'gone', 'true', 'r', 'operator:x'), ($1, 'sqlSpans', 'everything', 'r', 'operator:x'), ($1, 'ownProvider', 'false', 'r', 'operator:x')`,
      [tenantId],
    );
    await overrideMemory.refresh();
    expect(await shown(globex)).toEqual({ ownProvider: false, sqlSpans: "text" });
    const seen = await look(globex);
    expect(seen.stale.map(({ flag, value }) => [flag, value])).toEqual([
      ["gone", "true"],
      ["sqlSpans", "everything"],
    ]);
    expect(seen.flags.map(({ name, override }) => [name, override?.value])).toEqual([
      ["ownProvider", "false"],
      ["sqlSpans", undefined],
    ]);
    const ours = async (): Promise<string[]> =>
      (await auth.operatorFlags(staff)).stale
        .filter(({ organisationId }) => organisationId === tenantId)
        .map(({ flag }) => flag);
    expect(await ours()).toEqual(["gone", "sqlSpans"]);
    const { flags: all } = await auth.operatorFlags(staff);
    expect(all.map(({ name }) => name)).toEqual(["ownProvider", "sqlSpans"]);
    expect(all[0]?.values.find(({ value }) => value === "false")?.organisations).toBeGreaterThan(0);
    expect(all[1]?.values.map(({ value }) => value)).not.toContain("everything");
    await remove(globex, "gone");
    await remove(globex, "sqlSpans");
    await remove(globex, "ownProvider");
    expect([await ours(), (await look(globex)).stale, await shown(globex)]).toEqual([[], [], DEFAULTS]);
    const { rows } = await entryList(platformLog, undefined, 20, undefined);
    expect(rows.find(({ action }) => action === "operator.flag.listed")?.actor).toBe(`operator:${operator.userID}`);
  });

  test("stands in rows that no other organisation sees or writes", async () => {
    await set(acme, "sqlSpans", "off");
    const seen = await tenantQuery(globex, "select 1 from flags.override where tenant_id = $1", [acme.tenantId]);
    expect(seen).toEqual([]);
    const changed = await withTenant(globex, (tx) =>
      tx.execute("update flags.override set value = 'text' where tenant_id = $1", [acme.tenantId]),
    );
    expect(changed).toBe(0);
    await remove(acme, "sqlSpans");
  });
});

test("an organisation without the flag sets up no provider of its own", async () => {
  await set(acme, "ownProvider", "false");
  const wanted = { issuer: "https://id.example.com", clientId: "x", clientSecret: "y" };
  expect(await reason(auth.setIdentityProvider(wanted, acme))).toBe("own_provider_off");
  await remove(acme, "ownProvider");
  expect(await reason(auth.setIdentityProvider(wanted, acme))).toBe("domain_required");
});
