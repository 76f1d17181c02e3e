import { describe, expect, test } from "vitest";
import {
  can as holds,
  isPermission,
  isRole,
  matrix,
  permissions,
  permissionsOf,
  roles,
  type Permission,
  type Role,
} from "../permissions";

const can = ({ role }: { role: Role }, permission: Permission): boolean =>
  holds({ permissions: permissionsOf(role) }, permission);

describe("the role matrix", () => {
  // What each role may do is reviewed in docs/permissions.md, which is written from the matrix.
  test("`can` answers what the matrix says, for every role and permission", () => {
    for (const role of roles)
      for (const permission of permissions)
        expect({ role, permission, can: can({ role }, permission) }).toEqual({
          role,
          permission,
          can: matrix[permission][role],
        });
  });

  test("who reads only changes nothing, and nobody but the owner ends the organisation", () => {
    const held = (role: Role): Permission[] => permissions.filter((permission) => can({ role }, permission));
    expect(held("viewer").filter((permission) => !permission.endsWith(".read"))).toEqual([]);
    expect(roles.filter((role) => can({ role }, "organisation.delete"))).toEqual(["owner"]);
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

  test("a role's set is made once, and what a principal may is its set and nothing else", () => {
    for (const role of roles) expect(permissionsOf(role)).toBe(permissionsOf(role));
    const key = { kind: "key", role: "owner", permissions: new Set<Permission>(["document.read"]) };
    expect(permissions.filter((permission) => holds(key, permission))).toEqual(["document.read"]);
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
