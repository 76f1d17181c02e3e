// An id in capitals names nothing. Postgres would find the row by it, but what is revoked, sealed and hashed goes by the text: who
// was removed so would have stayed, and the audit log would have been broken for good.
import { auth } from "~encore/clients";
import { expect, test } from "vitest";
import { verifyLog } from "../../audit/verify-logs";
import { isUuid, newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { register } from "../registration";
import { as } from "./callers";
import { newcomer, reason } from "./people";

test("neither a member, a role, nor an organisation: nothing is done, and the log stays whole", async () => {
  const [ada, bob] = [await register(newcomer(), new Date()), await register(newcomer(), new Date())];
  const { id } = ada.organisation;
  await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'member')", [
    id,
    bob.user.id,
  ]);
  const owner = await as(ada);
  const member = await as(await auth.switchTo({ organisationId: id }, await as(bob)));
  const role = await auth.createRole({ name: "Reader", permissions: ["document.read"] }, owner);
  const userId = bob.user.id.toUpperCase();
  const attempts: Record<string, () => Promise<unknown>> = {
    member_not_found: () => auth.removeMember({ userId }, owner),
    role_not_found: () => auth.changeRole({ id: role.id.toUpperCase(), permissions: ["document.write"] }, owner),
    organisation_not_found: () => auth.leaveOrganisation({ id: id.toUpperCase() }, member),
  };
  for (const [expected, attempt] of Object.entries(attempts)) expect(await reason(attempt())).toBe(expected);
  expect(await reason(auth.changeMember({ userId, role: "viewer" }, owner))).toBe("member_not_found");
  expect(await reason(auth.switchTo({ organisationId: id.toUpperCase() }, member))).toBe("organisation_not_found");
  expect((await auth.listMembers({}, owner)).members).toHaveLength(2);
  await auth.leaveOrganisation({ id }, member);
  expect(await verifyLog(tenantIdFrom(id))).toMatchObject({ broken: [], unsealed: [] });
});

test("nor is it taken for one anywhere else", () => {
  const id = newId();
  expect([isUuid(id), isUuid(id.toUpperCase())]).toEqual([true, false]);
  expect(() => tenantIdFrom(id.toUpperCase())).toThrow(TypeError);
});
