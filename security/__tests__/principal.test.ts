import { afterEach, describe, expect, test, vi } from "vitest";
import { reasonOf } from "../errors";
import { permissionsOf } from "../permissions";
import {
  actorOf,
  callerFrom,
  currentCaller,
  currentPrincipal,
  findCaller,
  principalFrom,
  subjectIdFrom,
  tenantIdFrom,
  type AuthData,
} from "../principal";

const caller: { current: unknown } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

const data: AuthData & { tenantId: string } = {
  userID: "0193a1c0-0000-7000-8000-000000000001",
  tenantId: "0193a1c0-0000-7000-8000-0000000000aa",
  role: "admin",
  sessionId: "s-1",
};
const reason = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    return reasonOf(error);
  }
  return "nothing thrown";
};

afterEach(() => {
  caller.current = null;
});

describe("the principal", () => {
  test("is what the auth handler answered", () => {
    caller.current = data;
    expect(currentPrincipal()).toEqual({
      kind: "user",
      subjectId: data.userID,
      tenantId: data.tenantId,
      permissions: permissionsOf("admin"),
      sessionId: "s-1",
    });
  });

  test("is nobody when nobody is signed in", () => {
    expect(findCaller()).toBeUndefined();
    expect(reason(currentPrincipal)).toBe("unauthenticated");
  });

  test("of a role shares the role's set; of a scope holds the permissions it names, shared by all of that scope", () => {
    expect(principalFrom(data).permissions).toBe(permissionsOf("admin"));
    const { role: _, sessionId: __, ...bare } = data;
    const key = principalFrom({ ...bare, kind: "key", scope: "document.read document.burn" });
    expect([key.kind, ...key.permissions]).toEqual(["key", "document.read"]);
    expect(principalFrom({ ...bare, kind: "key", scope: "document.read document.burn" }).permissions).toBe(
      key.permissions,
    );
    expect(key).not.toHaveProperty("sessionId");
  });

  test("without an organisation is a caller who may do nothing, and no principal", () => {
    caller.current = { userID: data.userID, sessionId: "s-1" };
    expect(currentCaller()).toEqual({
      kind: "user",
      subjectId: data.userID,
      tenantId: null,
      permissions: new Set(),
      sessionId: "s-1",
    });
    expect(reason(currentPrincipal)).toBe("no_organisation");
  });

  test("is named in one text, by who acts in their name if somebody does", () => {
    expect(actorOf(callerFrom(data))).toBe(`user:${data.userID}`);
    expect(actorOf(callerFrom({ ...data, actor: "operator:7" }))).toBe("operator:7");
  });

  test.each<[string, Partial<Record<keyof AuthData, string>>]>([
    ["user", { userID: "1; drop table" }],
    ["tenant", { tenantId: "*" }],
    ["role", { role: "superuser" }],
    ["role, beside a scope,", { scope: "document.read" }],
  ])("is refused when its %s is not whole", (_what, wrong) => {
    expect(reason(() => principalFrom({ ...data, ...wrong } as AuthData))).toBe("unauthenticated");
  });

  test("is refused when nothing says what they may do in their organisation, or something does and there is none", () => {
    const { role, tenantId, ...bare } = data;
    expect(reason(() => callerFrom({ ...bare, tenantId }))).toBe("unauthenticated");
    expect(reason(() => callerFrom({ ...bare, role: role ?? "owner" }))).toBe("unauthenticated");
    expect(reason(() => callerFrom({ ...bare, scope: "document.read" }))).toBe("unauthenticated");
  });

  test("says when they last showed who they are, as a number, where that is known", () => {
    expect(callerFrom({ ...data, authTime: "1796000000" }).authTime).toBe(1_796_000_000);
    for (const fact of ["authTime", "actor"]) expect(callerFrom(data)).not.toHaveProperty(fact);
  });

  test("ids come from UUIDs only", () => {
    expect(tenantIdFrom(data.tenantId)).toBe(data.tenantId);
    expect(subjectIdFrom(data.userID)).toBe(data.userID);
    expect(() => tenantIdFrom("acme")).toThrow("a tenant id must be a UUID");
    expect(() => subjectIdFrom("")).toThrow("a subject's id must be a UUID");
  });

  test("a text that was refused as an id is refused again, and one that was taken is taken again", () => {
    for (const _ of ["the first time", "again"]) {
      expect(() => tenantIdFrom("0193a1c0-0000-7000-8000-00000000000")).toThrow("a tenant id must be a UUID");
      expect(tenantIdFrom(data.tenantId)).toBe(data.tenantId);
    }
  });
});
