// Staff who look into an organisation leave who, what and why in its own log.
import { describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { withSystem, type TenantScope } from "../../db/tenant";
import { subjectIdFrom, tenantIdFrom, type Caller } from "../../security/principal";
import { operatorReasonFrom, recordLook, withOperator, type OperatorReason } from "../operator";
import { platformLog, recordForPlatform } from "../platform";
import { defineAction } from "../action";
import { entryList } from "../store";
import { verifyPage } from "../verify";

const operator: Caller = {
  kind: "operator",
  subjectId: subjectIdFrom(newId()),
  tenantId: null,
  permissions: new Set(),
};
const reason = operatorReasonFrom("  ticket 4711: members are missing  ");
const look = { what: "auth.members", reason };
const newTenant = (): TenantScope => ({ tenantId: tenantIdFrom(newId()) });

async function logOf(scope: TenantScope): Promise<unknown[]> {
  const { rows } = await entryList(scope, undefined, 10, undefined);
  return rows.map(({ actor, action, fields }) => ({ actor, action, fields }));
}

const entry = (outcome: string): object => ({
  actor: `operator:${operator.subjectId}`,
  action: "operator.organisation.looked",
  fields: { what: "auth.members", reason: "ticket 4711: members are missing", outcome },
});

describe("withOperator", () => {
  test("sees one organisation, and writes into its log who looked at what and why", async () => {
    const [scope, other] = [newTenant(), newTenant()];
    await withOperator(other.tenantId, operator, look, async () => undefined);
    const seen = await withOperator(scope.tenantId, operator, look, (tx) =>
      tx.query<{ tenant: string }>(
        "select distinct tenant_id as tenant from audit.head union select db.current_tenant()",
      ),
    );
    expect(seen).toEqual([{ tenant: scope.tenantId }]);
    expect(await logOf(scope)).toEqual([entry("seen")]);
    expect((await verifyPage(scope)).broken).toBeUndefined();
  });

  test("writes a look down that fails, whose error may tell something", async () => {
    const scope = newTenant();
    const failing = withOperator(scope.tenantId, operator, look, async (tx) => {
      await tx.query("select 1 / 0");
    });
    await expect(failing).rejects.toMatchObject({ name: "DbError" });
    expect(await logOf(scope)).toEqual([entry("failed")]);
  });

  test("shows nothing that could not be written down", async () => {
    const scope = newTenant();
    const unwritable = { what: "auth.members", reason: undefined as unknown as OperatorReason };
    const shown = withOperator(scope.tenantId, operator, { ...unwritable, what: 1n as unknown as string }, () =>
      Promise.resolve("a secret"),
    );
    await expect(shown).rejects.toThrow();
    const secretive = withOperator(scope.tenantId, operator, { ...unwritable, what: 1n as unknown as string }, () =>
      Promise.reject(new Error("a secret")),
    );
    await expect(secretive).rejects.not.toThrow("a secret");
  });

  test("is for staff alone", () => {
    expect(() =>
      withOperator(newTenant().tenantId, { ...operator, kind: "user" }, look, () => Promise.resolve()),
    ).toThrow("a user is no operator");
  });
});

describe("a reason", () => {
  test.each([undefined, "", "         short", "x".repeat(501)])("is refused when it says nothing: %s", (text) => {
    expect(() => operatorReasonFrom(text)).toThrow(expect.objectContaining({ code: "invalid_argument" }));
  });
});

test.each([
  ["UTF-8''%D0%B7%D0%B0%D1%8F%D0%B2%D0%BA%D0%B0%204711", "заявка 4711"],
  ["100 % of %41 fail", "100 % of %41 fail"],
  ["UTF-8''%E0%A4 ticket", "UTF-8''%E0%A4 ticket"],
  ["UTF-8''ticket%004711", "UTF-8''ticket%004711"],
])("a reason that comes encoded is read as it was written: %s", (text, read) => {
  expect(operatorReasonFrom(text)).toBe(read);
});

test("a look over several organisations stands in the log of each", async () => {
  const scopes = [newTenant(), newTenant()];
  await withSystem("test", async (tx) => {
    for (const { tenantId } of scopes) await recordLook(tx, tenantId, look);
  });
  for (const scope of scopes) expect(await logOf(scope)).toMatchObject([{ fields: { outcome: "seen" } }]);
});

test("what the staff does to the installation stands in the installation's own log", async () => {
  const done = defineAction("test.operator.added", { email: "personal" });
  await withSystem("test", (tx) => recordForPlatform(tx, done, { fields: { email: "ada@example.com" } }));
  expect((await logOf(platformLog))[0]).toEqual({ actor: "system", action: "test.operator.added", fields: {} });
  expect(await verifyPage(platformLog)).toMatchObject({ isDone: true });
});
