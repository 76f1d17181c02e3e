import { afterEach, describe, expect, test, vi } from "vitest";
import { reasonOf } from "../errors";
import { currentPrincipal, findPrincipal, principalFrom, tenantIdFrom, userIdFrom, type AuthData } from "../principal";

const caller: { current: unknown } = vi.hoisted(() => ({ current: null }));
vi.mock("~encore/auth", () => ({ getAuthData: () => caller.current }));

const data: AuthData = {
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
      userId: data.userID,
      tenantId: data.tenantId,
      role: "admin",
      sessionId: "s-1",
    });
  });

  test("is nobody when nobody is signed in", () => {
    expect(findPrincipal()).toBeUndefined();
    expect(reason(currentPrincipal)).toBe("unauthenticated");
  });

  test.each<[string, Partial<Record<keyof AuthData, string>>]>([
    ["user", { userID: "1; drop table" }],
    ["tenant", { tenantId: "*" }],
    ["role", { role: "superuser" }],
  ])("is refused when its %s is not whole", (_what, wrong) => {
    expect(reason(() => principalFrom({ ...data, ...wrong } as AuthData))).toBe("unauthenticated");
  });

  test("ids come from UUIDs only", () => {
    expect(tenantIdFrom(data.tenantId)).toBe(data.tenantId);
    expect(userIdFrom(data.userID)).toBe(data.userID);
    expect(() => tenantIdFrom("acme")).toThrow(TypeError);
    expect(() => userIdFrom("")).toThrow(TypeError);
  });
});
