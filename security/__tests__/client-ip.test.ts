import { describe, expect, test } from "vitest";
import { clientIp, firstBeyond, isInNetworks, limitKeyOf, networkList } from "../client-ip";

const proxies = networkList(["10.0.0.0/8", "fd00::/8", "192.0.2.7"]);

describe("the caller's address", () => {
  test("without configured proxies is what the nearest hop saw: a forged header changes nothing", () => {
    expect(clientIp({ "x-forwarded-for": "1.2.3.4, 203.0.113.9" })).toBe("203.0.113.9");
    expect(clientIp({ "x-forwarded-for": ["1.2.3.4", "203.0.113.9"] })).toBe("203.0.113.9");
    expect(clientIp({ "x-forwarded-for": "203.0.113.9" })).toBe("203.0.113.9");
    expect(clientIp({ "x-forwarded-for": "::ffff:203.0.113.9" })).toBe("203.0.113.9");
  });

  test("is unknown when no hop named one", () => {
    expect(clientIp({})).toBeUndefined();
    expect(clientIp({ "x-forwarded-for": "" })).toBeUndefined();
    expect(clientIp({ "x-forwarded-for": "unknown" })).toBeUndefined();
    expect(clientIp({ "x-real-ip": "1.2.3.4", forwarded: "for=1.2.3.4" })).toBeUndefined();
  });

  test("behind proxies is the first address from the right that is none of them", () => {
    expect(firstBeyond(proxies, "6.6.6.6, 203.0.113.9, 10.1.2.3")).toBe("203.0.113.9");
    expect(firstBeyond(proxies, "203.0.113.9, 10.1.2.3, 192.0.2.7")).toBe("203.0.113.9");
    expect(firstBeyond(proxies, "2001:db8::1, fd00::5")).toBe("2001:db8::1");
    expect(firstBeyond(proxies, "10.0.0.1, 10.0.0.2")).toBe("10.0.0.1");
    expect(firstBeyond(proxies, "203.0.113.9, garbage, 10.0.0.2")).toBe("10.0.0.2");
  });
});

describe("networks", () => {
  test("hold addresses of both families", () => {
    expect(isInNetworks(proxies, "10.255.0.1")).toBe(true);
    expect(isInNetworks(proxies, "::ffff:10.255.0.1")).toBe(true);
    expect(isInNetworks(proxies, "fd12::1")).toBe(true);
    expect(isInNetworks(proxies, "11.0.0.1")).toBe(false);
    expect(isInNetworks(proxies, "not an address")).toBe(false);
  });
});

describe("the key that limits count by", () => {
  test("is the address for IPv4 and the /64 for IPv6: one host owns 2^64 of them", () => {
    expect(limitKeyOf("203.0.113.9")).toBe("203.0.113.9");
    expect(limitKeyOf("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
    expect(limitKeyOf("2001:DB8:1:2::9")).toBe("2001:db8:1:2::/64");
    expect(limitKeyOf("2001:0db8:0001:0002:ffff::")).toBe("2001:db8:1:2::/64");
    expect(limitKeyOf("2001:db8::1")).toBe("2001:db8:0:0::/64");
    expect(limitKeyOf("::1")).toBe("0:0:0:0::/64");
  });
});
