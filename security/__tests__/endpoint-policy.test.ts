import { describe, expect, test } from "vitest";
import { readPolicy } from "../endpoint-policy";

const access = (...tags: string[]) => readPolicy("vectors", "ingest", tags).access;

describe("what an endpoint's tags declare", () => {
  test("a permission, or several that must all hold", () => {
    expect(access("can:document.write")).toEqual({ kind: "can", permissions: ["document.write"] });
    expect(access("can:document.write", "can:document.read", "idempotent")).toEqual({
      kind: "can",
      permissions: ["document.write", "document.read"],
    });
  });

  test("self and public", () => {
    expect(access("self")).toEqual({ kind: "self" });
    expect(access("public:sign-in")).toEqual({ kind: "public", reason: "sign-in" });
  });

  test.each([
    ["no tag at all", []],
    ["only tags of others", ["idempotent", "limit:search"]],
    ["a permission that does not exist", ["can:document.burn"]],
    ["one of two permissions that does not exist", ["can:document.read", "can:everything"]],
    ["self and a permission", ["self", "can:document.read"]],
    ["self and public", ["self", "public:why not"]],
    ["public without a reason", ["public:"]],
    ["an unknown limit", ["self", "limit:none"]],
    ["an inherited name as limit", ["self", "limit:constructor"]],
    ["two limits", ["self", "limit:search", "limit:ingest"]],
    ["a cost that is no number", ["self", "cost:much"]],
    ["a cost of nothing", ["self", "cost:0"]],
    ["a cost without a number", ["self", "cost:"]],
    ["a cost that gives back", ["self", "cost:-1"]],
    ["half a point", ["self", "cost:1.5"]],
    ["more than a thousand points", ["self", "cost:1001"]],
    ["two costs", ["self", "cost:2", "cost:3"]],
    ["fresh alone", ["fresh"]],
    ["fresh for anybody", ["fresh", "public:why not"]],
    ["fresh for whoever brings credentials", ["fresh", "caller"]],
    ["something that looks like self", ["SELF", "self:yes"]],
  ])("%s closes the endpoint", (_what, tags) => {
    expect(access(...tags).kind).toBe("closed");
  });

  test("fresh, beside a permission or self", () => {
    expect(readPolicy("s", "e", ["self", "fresh"])).toMatchObject({ access: { kind: "self" }, needsFresh: true });
    expect(readPolicy("s", "e", ["can:document.read", "fresh"]).needsFresh).toBe(true);
    expect(readPolicy("s", "e", ["self"]).needsFresh).toBe(false);
  });

  test("everything is limited, by default or by a named policy; public probes alone are not", () => {
    expect(readPolicy("s", "e", ["self"])).toMatchObject({ route: "s.e", limit: "default", isProbe: false });
    expect(readPolicy("s", "e", ["self", "limit:ingest"])).toMatchObject({ limit: "ingest", cost: 1 });
    expect(readPolicy("s", "e", ["self", "cost:1000"])).toMatchObject({ limit: "default", cost: 1000 });
    expect(readPolicy("s", "e", ["public:liveness", "probe"])).toMatchObject({ limit: null, isProbe: true });
    expect(readPolicy("s", "e", ["self", "probe"])).toMatchObject({ limit: "default", isProbe: false });
    expect(readPolicy("s", "e", ["probe"])).toMatchObject({ limit: "default", isProbe: false });
  });
});
