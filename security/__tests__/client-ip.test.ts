import { describe, expect, test } from "vitest";
import { overgrowth } from "../../scripts/testing/growth";
import { parseAddress } from "../../config/network";
import { isInNetworks, limitKeyOf, networkList, networksAround } from "../address";
import { clientIp, clientLimitKey, createClientAddresses, firstBeyond, limitKeyOfChain } from "../client-ip";

// Made within each test: what is made while the file is loaded stays as it was when one rule is changed under it.
const networks = ["10.0.0.0/8", "fd00::/8", "192.0.2.7", "::ffff:198.51.100.0/120", "2001:db8:7::/48"];

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
    const proxies = networkList(networks);
    expect(firstBeyond(proxies, "6.6.6.6, 203.0.113.9, 10.1.2.3")).toBe("203.0.113.9");
    expect(firstBeyond(proxies, "203.0.113.9, 10.1.2.3, 192.0.2.7")).toBe("203.0.113.9");
    expect(firstBeyond(proxies, "2001:db8::1, fd00::5")).toBe("2001:db8::1");
    expect(firstBeyond(proxies, "10.0.0.1, 10.0.0.2")).toBe("10.0.0.1");
    expect(firstBeyond(proxies, ",10.0.0.2")).toBe("10.0.0.2");
    expect(firstBeyond(proxies, "203.0.113.9:4711, [fd00::5]:443, ::ffff:a01:203")).toBe("203.0.113.9");
  });

  // What stands left of something unreadable was written by somebody we do not know.
  test.each(["garbage", "", " ", "unknown", "_hidden", "203.0.113.9:x", "[2001:db8::1", "999.1.1.1", "1.2.3.4.5"])(
    "is the hop before an entry that cannot be read: %j",
    (entry) => {
      const proxies = networkList(networks);
      expect(firstBeyond(proxies, `203.0.113.9, ${entry}, 10.0.0.2`)).toBe("10.0.0.2");
      expect(firstBeyond(proxies, `203.0.113.9, ${entry}`)).toBeUndefined();
    },
  );

  test("behind declared proxies is what they say, and an address in front of a stranger is not", () => {
    const addresses = createClientAddresses({ trustedProxies: networks });
    const find = (chain: string): string | undefined => addresses.find({ "x-forwarded-for": chain });
    for (let again = 0; again < 2; again++) {
      expect(find("6.6.6.6, 203.0.113.9, 10.1.2.3")).toBe("203.0.113.9");
      expect(find("203.0.113.9, 6.6.6.6")).toBe("6.6.6.6");
    }
  });

  test("takes a time in proportion, of chains far longer than node accepts", async () => {
    const proxies = networkList(networks);
    for (const [piece, end] of [",", "10.0.0.1,", "1", "[", ":"].map((each) => [each, each.endsWith(",") ? "" : ","])) {
      const chainOf = (size: number): string => `${piece!.repeat(Math.ceil(size / piece!.length))}${end}10.0.0.1`;
      const read = (chain: string): void => {
        clientIp({ "x-forwarded-for": chain });
        firstBeyond(proxies, chain);
      };
      expect(await overgrowth(16 * 16_384, chainOf, read), piece).toBeUndefined();
    }
  });
});

/** Each line: spellings of one client. */
const spellings = [
  [
    "203.0.113.9",
    "203.0.113.9:50000",
    "203.0.113.9:",
    " 203.0.113.9 ",
    '"203.0.113.9:80"',
    "::ffff:203.0.113.9",
    "::FFFF:CB00:7109",
  ],
  ["203.0.113.9", "::ffff:cb00:7109", "[::ffff:cb00:7109]:443", "0:0:0:0:0:ffff:203.0.113.9", "64:ff9b::cb00:7109"],
  [
    "203.0.113.9",
    "203.000.113.009",
    "::ffff:203.000.113.009",
    "[::FFFF:203.000.113.009]:50000",
    "64:ff9b::203.000.113.009",
    "0000:0000:0000:0000:0000:ffff:cb00:7109",
    "64:ff9b::203.0.113.9",
    "203.0.113.9:_p",
  ],
  // A port behind a dotted end is none of the address.
  [
    "203.0.113.9",
    "::ffff:203.0.113.9:443",
    "0:0:0:0:0:ffff:203.0.113.9:443",
    "64:ff9b::203.0.113.9:443",
    "::ffff:203.000.113.009:_p.q",
    "::ffff:203.0.113.9%eth0",
    "::ffff:203.000.113.009%eth0",
    "[::ffff:203.000.113.009%eth0]:443",
  ],
  ["2001:db8:5:5::1", "[2001:db8:5:5::1]", "[2001:db8:5:5::1]:50000", "2001:DB8:5:5::1", "2001:0db8:0005:0005::0001"],
  [
    "2001:db8:5:5::1",
    "2001:db8:5:5:0:0:0:1",
    "2001:db8:5:5::1%eth0",
    "[2001:db8:5:5::1%br_0]:",
    '"[2001:db8:5:5::1]:1"',
    "2001:db8:5:5::0:1",
  ],
  ["::1", "0:0:0:0:0:0:0:1", "[::1]", "0::1"],
  ["203.0.113.9", `${" ".repeat(117)}203.0.113.9`, "203.0.113.9:_port.of-it", "[203.0.113.9]:"],
  ["0.0.113.9", "64:ff9b::7109", "[64:ff9b::7109]"],
  ["0.0.0.0", "64:ff9b::"],
  // What only looks like IPv4 inside IPv6 is what it is.
  ["::ffff:0:1:2", "0:0:0:0:ffff:0:1:2"],
  ["::1.2.3.4", "::102:304"],
  ["64:ff9b::1:2:3", "64:ff9b:0::1:2:3"],
] as const;

describe("an address", () => {
  test.each(spellings.flatMap(([canonical, ...others]) => others.map((spelt) => [spelt, canonical] as const)))(
    "%s counts as %s",
    (spelt, canonical) => {
      expect(parseAddress(spelt)).toBe(canonical);
      expect(clientIp({ "x-forwarded-for": spelt })).toBe(canonical);
    },
  );

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "0x7f.1.1.1",
    "1.2.3.4:x",
    "[1.2.3.4",
    "2001:db8::1::2",
    "fe80::1%",
    "a.b.c.d",
    `::1${"0".repeat(200)}`,
    `${" ".repeat(122)}1.2.3.4`,
    '"',
    '"1.2.3.4',
    '1.2.3.4"',
    '"1.2.3.45',
    '11.2.3.4"',
    "zz:203.000.113.009",
    ":80",
    "[::1]x",
    "[::1]x:80",
    "[::1",
    "1.2.3.4%eth0",
    "::1%",
    "0x7.1.1.1",
    "1.1.1.1e1",
    "1.1.1.0001",
    "::ffff:203.0.113.9:x",
    "::ffff:203.0.113.9:443:80",
    "::ffff:203.000.113.009%",
    "2001:db8::g:443",
  ])("%j is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});

describe("networks", () => {
  test("hold addresses of both families, in any spelling", () => {
    const proxies = networkList(networks);
    for (const inside of [
      "10.255.0.1",
      "::ffff:10.255.0.1",
      "::ffff:aff:1",
      "fd12::1",
      "FD12:0::1",
      "198.51.100.77",
      "2001:db8:7:ffff::1",
    ])
      expect(isInNetworks(proxies, inside), inside).toBe(true);
    for (const outside of [
      "11.0.0.1",
      "::ffff:b00:1",
      "198.51.101.1",
      "fe12::1",
      "2001:db8:8::1",
      "192.0.2.8",
      "not an address",
    ])
      expect(isInNetworks(proxies, outside), outside).toBe(false);
  });

  test("that parseNetwork does not read are refused, instead of being taken for others", () => {
    for (const wrong of [
      "",
      "/8",
      "intranet",
      "300.0.0.0/8",
      "64:ff9b::/32",
      "64:ff9b::/95",
      "::ffff:0:0/0",
      "10.0.0.1/8",
    ])
      expect(() => networkList([wrong]), wrong).toThrow("no network as parseNetwork reads them");
    expect(isInNetworks(networkList(["64:ff9b::/96"]), "203.0.113.9")).toBe(true);
  });
});

describe("the key that limits count by", () => {
  test.each([
    ["203.0.113.9", "203.0.113.9"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:db8::1:0:0:0:1", "2001:db8:0:1::/64"],
    ["1::", "1:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
  ])("of %s is %s: one host owns 2^64 of them", (address, key) => {
    expect(limitKeyOf(address)).toBe(key);
  });

  test.each([
    ["203.0.113.9", ["203.0.113.9", "203.0.113.0/24"]],
    ["2001:db8:1:2345::9", ["2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]],
    ["2001:db8:1::9", ["2001:db8:1:0::/64", "2001:db8:1:0::/56", "2001:db8:1::/48"]],
    ["::1", ["0:0:0:0::/64", "0:0:0:0::/56", "0:0:0::/48"]],
  ])("of %s lies within networks that one hand may have whole", (address, networks) => {
    expect(networksAround(limitKeyOf(address))).toEqual(networks);
  });

  test("of nobody lies in no network", () => {
    for (const none of ["unknown", "", "a.b.c.d", "1:2:3::/48"]) expect(networksAround(none)).toEqual([none]);
  });

  test("is the client's, whatever its port, brackets and spelling", () => {
    const key = (forwarded: string): string | undefined => clientLimitKey({ "x-forwarded-for": forwarded });
    for (let port = 50_000; port < 50_010; port++) {
      expect(key(`203.0.113.9:${port}`)).toBe("203.0.113.9");
      expect(key(`[2001:db8:5:5::${port.toString(16)}]:${port}`)).toBe("2001:db8:5:5::/64");
    }
  });

  test("of a header alone is the same, and everybody's without one", () => {
    expect(limitKeyOfChain("1.2.3.4, 203.0.113.9")).toBe("203.0.113.9");
    expect(limitKeyOfChain(undefined)).toBe("unknown");
  });

  test("is shared by all whose address cannot be read, and absent only for calls of our own services", () => {
    expect(clientLimitKey({ "x-forwarded-for": "" })).toBe("unknown");
    expect(clientLimitKey({ "x-forwarded-for": "203.0.113.9, gibberish" })).toBe("unknown");
    expect(clientLimitKey({})).toBeUndefined();
  });
});

describe("a proxy that nobody declared", () => {
  const watch = (trustedProxies: string[] = []) => {
    const said: [string, boolean][] = [];
    const addresses = createClientAddresses({
      trustedProxies,
      onUndeclaredProxy: (peer, isPrivate) => void said.push([peer, isPrivate]),
    });
    return { said, addresses };
  };

  test("is told of once, with its address, and its callers share one limit", () => {
    const { said, addresses } = watch();
    expect(addresses.limitKey({ "x-forwarded-for": "203.0.113.1, 10.0.0.5" })).toBe("10.0.0.5");
    expect(addresses.limitKey({ "x-forwarded-for": "203.0.113.2, 10.0.0.5" })).toBe("10.0.0.5");
    expect(said).toEqual([["10.0.0.5", true]]);
  });

  test("is told of when it sends Forwarded instead", () => {
    const { said, addresses } = watch();
    addresses.find({ "x-forwarded-for": "10.0.0.5" });
    expect(said).toEqual([]);
    addresses.find({ "x-forwarded-for": "10.0.0.5", forwarded: "for=203.0.113.1" });
    addresses.find({ "x-forwarded-for": "10.0.0.6", forwarded: "for=203.0.113.1" });
    expect(said).toEqual([["10.0.0.5", true]]);
  });

  test("is not told of by an entry that cannot be read, or by an empty chain", () => {
    const { said, addresses } = watch();
    for (const chain of ["203.0.113.1, gibberish", "203.0.113.1, ", ""])
      addresses.find({ "x-forwarded-for": chain, forwarded: "for=203.0.113.1" });
    expect(said).toEqual([]);
  });

  // Anybody can send the header to a server without a proxy: that must not hide the real proxy later.
  test("is told of also after a stranger has forged the header", () => {
    const { said, addresses } = watch();
    addresses.find({ "x-forwarded-for": "1.1.1.1, 203.0.113.66" });
    addresses.find({ "x-forwarded-for": "1.1.1.1, 203.0.113.67" });
    addresses.find({ "x-forwarded-for": "203.0.113.1, 10.0.0.5" });
    expect(said).toEqual([
      ["203.0.113.66", false],
      ["10.0.0.5", true],
    ]);
  });

  test("is told of once only, also when its callers' chains are known already", () => {
    const { said, addresses } = watch();
    for (const chain of ["203.0.113.1, 10.0.0.5", "10.0.0.1, 203.0.113.5", "203.0.113.2, 10.0.0.6", ",10.0.0.7"])
      for (let again = 0; again < 2; again++) addresses.find({ "x-forwarded-for": chain, forwarded: "for=1.1.1.1" });
    expect(said).toEqual([
      ["10.0.0.5", true],
      ["203.0.113.5", false],
    ]);
  });

  test("is told of when all that stands before it is an empty entry", () => {
    const { said, addresses } = watch();
    addresses.find({ "x-forwarded-for": ",10.0.0.7" });
    expect(said).toEqual([["10.0.0.7", true]]);
  });

  test("is silent when it is declared, and when there is none", () => {
    const { said, addresses } = watch(["10.0.0.0/8"]);
    addresses.find({ "x-forwarded-for": "203.0.113.1, 10.0.0.5" });
    addresses.find({ "x-forwarded-for": "203.0.113.1" });
    addresses.find({});
    expect(said).toEqual([]);
  });
});
