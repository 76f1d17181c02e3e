import { describe, expect, test } from "vitest";
import { findPolicy, readPolicy } from "../endpoint-policy";

const access = (...tags: string[]) => readPolicy("vectors", "ingest", tags).access;

describe("what an endpoint's tags declare", () => {
  test("a permission, or several that must all hold", () => {
    expect(access("can:document.write")).toEqual({ kind: "can", permissions: ["document.write"] });
    expect(access("can:document.write", "can:document.read", "idempotent")).toEqual({
      kind: "can",
      permissions: ["document.write", "document.read"],
    });
  });

  test("self, caller and public", () => {
    expect(access("self")).toEqual({ kind: "self" });
    expect(access("caller")).toEqual({ kind: "caller" });
    expect(access("public:sign-in")).toEqual({ kind: "public", reason: "sign-in" });
  });

  const none = "no can:, self, caller or public: tag";
  const several = "more than one of can:, self, caller and public:";
  const limit = "an unknown or repeated limit: tag";
  const cost = "a cost: tag that is no number from 1 to 1000, or a second one";
  test.each([
    ["no tag at all", [], none],
    ["only tags of others", ["idempotent", "limit:search"], none],
    ["a permission that does not exist", ["can:document.burn"], "unknown permission document.burn"],
    ["one of two that does not exist", ["can:document.read", "can:everything"], "unknown permission everything"],
    ["two that do not exist", ["can:nothing", "can:everything"], "unknown permission nothing, everything"],
    ["self and a permission", ["self", "can:document.read"], several],
    ["self and public", ["self", "public:why not"], several],
    ["caller and a permission", ["caller", "can:document.read"], several],
    ["public without a reason", ["public:"], "public: without a reason"],
    ["public with a blank reason", ["public:  "], "public: without a reason"],
    ["an unknown limit", ["self", "limit:none"], limit],
    ["an inherited name as limit", ["self", "limit:constructor"], limit],
    ["two limits", ["self", "limit:search", "limit:ingest"], limit],
    ["a cost that is no number", ["self", "cost:much"], cost],
    ["a cost of nothing", ["self", "cost:0"], cost],
    ["a cost without a number", ["self", "cost:"], cost],
    ["a cost that gives back", ["self", "cost:-1"], cost],
    ["half a point", ["self", "cost:1.5"], cost],
    ["more than a thousand points", ["self", "cost:1001"], cost],
    ["two costs", ["self", "cost:2", "cost:3"], cost],
    ["fresh alone", ["fresh"], none],
    ["fresh for anybody", ["fresh", "public:why not"], "fresh: without can: or self"],
    ["fresh for whoever brings credentials", ["fresh", "caller"], "fresh: without can: or self"],
    ["own-proof with a permission", ["can:secret.read", "own-proof"], "own-proof: without self"],
    ["own-proof for anybody", ["public:why not", "own-proof"], "own-proof: without self"],
    ["owns without a permission", ["self", "owns:secret"], "owns: without can:, or a second one"],
    ["owners of two things", ["can:secret.read", "owns:secret", "owns:role"], "owns: without can:, or a second one"],
    ["owners of what nobody manages", ["can:document.read", "owns:x"], "owns:x without a permission x.manage"],
    ["something that looks like self", ["SELF", "self:yes"], none],
  ])("%s closes the endpoint, and says why", (_what, tags, problem) => {
    expect(access(...tags)).toEqual({ kind: "closed", problem });
    expect(readPolicy("s", "e", tags).limit).not.toBeNull();
  });

  test("fresh, beside a permission or self", () => {
    expect(readPolicy("s", "e", ["self", "fresh"])).toMatchObject({ access: { kind: "self" }, needsFresh: true });
    expect(readPolicy("s", "e", ["can:document.read", "fresh"])).toMatchObject({
      access: { kind: "can", permissions: ["document.read"] },
      needsFresh: true,
    });
    expect(readPolicy("s", "e", ["self"]).needsFresh).toBe(false);
  });

  test("owners of the thing that the path names, and who manages all of them", () => {
    expect(access("can:secret.read", "owns:secret")).toEqual({
      kind: "can",
      permissions: ["secret.read"],
      owns: { thing: "secret", unless: "secret.manage" },
    });
  });

  test("everything is limited, by default or by a named policy; public probes alone are not", () => {
    expect(readPolicy("s", "e", ["self"])).toMatchObject({ route: "s.e", limit: "default", isProbe: false });
    expect(readPolicy("s", "e", ["self", "limit:ingest"])).toMatchObject({ limit: "ingest", cost: 1 });
    expect(readPolicy("s", "e", ["self", "cost:1000"])).toMatchObject({ limit: "default", cost: 1000 });
    expect(readPolicy("s", "e", ["public:liveness", "probe"])).toMatchObject({ limit: null, isProbe: true });
    expect(readPolicy("s", "e", ["self", "probe"])).toMatchObject({ limit: "default", isProbe: false });
    expect(readPolicy("s", "e", ["probe"])).toMatchObject({ limit: "default", isProbe: false });
    expect(readPolicy("s", "e", ["self", "limit:none"])).toMatchObject({ limit: "default", isProbe: false });
  });

  test("is read once for each endpoint, and each of its methods is counted in one place", () => {
    const policyOf = (service: string, endpoint: string) => findPolicy({ service, endpoint, tags: ["self"] });
    const policy = policyOf("once", "read");
    expect([policy.route, policy.access]).toEqual(["once.read", { kind: "self" }]);
    expect(policyOf("once", "read")).toBe(policy);
    for (const other of [policyOf("once", "write"), policyOf("twice", "read")]) expect(other).not.toBe(policy);
    expect(policy.seriesOf("GET")).toBe(policy.seriesOf("GET"));
    expect(policy.seriesOf("POST")).not.toBe(policy.seriesOf("GET"));
  });
});
