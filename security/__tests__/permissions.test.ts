import { describe, expect, test } from "vitest";
import { can, isPermission, isRole, matrix, permissions, roles, type Permission, type Role } from "../permissions";

/**
 * The matrix once more, written the other way round by hand: what each role may do. Two independent
 * writings must agree before a permission changes hands.
 */
const allowed: Record<Role, Permission[]> = {
  owner: [
    "organisation.read",
    "organisation.update",
    "organisation.delete",
    "member.read",
    "member.manage",
    "document.read",
    "document.write",
    "document.delete",
    "event.read",
    "event.redrive",
    "job.read",
    "job.redrive",
  ],
  admin: [
    "organisation.read",
    "organisation.update",
    "member.read",
    "member.manage",
    "document.read",
    "document.write",
    "document.delete",
    "event.read",
    "event.redrive",
    "job.read",
    "job.redrive",
  ],
  member: ["organisation.read", "member.read", "document.read", "document.write", "document.delete"],
  viewer: ["organisation.read", "member.read", "document.read"],
};

const cells = roles.flatMap((role) =>
  permissions.map((permission) => ({ role, permission, expected: allowed[role].includes(permission) })),
);

describe("the role matrix", () => {
  test.each(cells)("$role, $permission: $expected", ({ role, permission, expected }) => {
    expect(can({ role }, permission)).toBe(expected);
  });

  test("each role may do everything the next weaker one may", () => {
    for (const [i, role] of roles.entries()) {
      const weaker = roles[i + 1];
      if (weaker === undefined) continue;
      expect(
        permissions.filter((permission) => can({ role: weaker }, permission) && !can({ role }, permission)),
      ).toEqual([]);
    }
  });

  test("a role or permission that does not exist holds nothing and grants nothing", () => {
    expect(can({ role: "root" as Role }, "document.read")).toBe(false);
    expect(can({ role: "owner" }, "document.burn" as Permission)).toBe(false);
    expect(can({ role: "owner" }, "constructor" as Permission)).toBe(false);
    expect(can({ role: "__proto__" as Role }, "document.read")).toBe(false);
  });

  test("names are <resource>.<action> and the catalogue is the matrix", () => {
    for (const permission of permissions) expect(permission).toMatch(/^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$/);
    expect(Object.keys(matrix).sort()).toEqual([...permissions].sort());
    expect([isPermission("document.read"), isPermission("document.*"), isRole("owner"), isRole("Owner")]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});
