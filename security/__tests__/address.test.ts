import { expect, test } from "vitest";
import { parseNetwork } from "../../config/network";
import { isInNetworks, networkList } from "../address";

test("a network has one spelling, and one that says more than its prefix keeps is none", () => {
  const spelled = {
    "203.0.113.0/24": "203.0.113.0/24",
    " 203.0.113.7 ": "203.0.113.7/32",
    "0.0.0.0/0": "0.0.0.0/0",
    "10.0.0.0/9": "10.0.0.0/9",
    "2001:DB8:0:0::/48": "2001:db8::/48",
    "::/0": "::/0",
    "2001:db8::1": "2001:db8::1/128",
    "2001:db8:8000::/33": "2001:db8:8000::/33",
    "::ffff:203.0.113.0/120": "203.0.113.0/24",
    "64:ff9b::/96": "0.0.0.0/0",
  };
  expect(Object.fromEntries(Object.keys(spelled).map((text) => [text, parseNetwork(text)]))).toEqual(spelled);
  for (const wrong of ["", "/", "/8", "a/8", "203.0.113.0/", "203.0.113.0/-1", "203.0.113.0/33", "203.0.113.0/24/24"])
    expect([wrong, parseNetwork(wrong)]).toEqual([wrong, undefined]);
  for (const wider of ["64:ff9b::/32", "64:ff9b::/95", "::ffff:0.0.0.0/10", "::ffff:0:0/0"])
    expect([wider, parseNetwork(wider)]).toEqual([wider, undefined]);
  for (const longer of ["203.0.113.1/24", "10.64.0.0/9", "2001:db8::1/48", "2001:db8:8000::/32", "0.0.0.1/0", "::1/0"])
    expect([longer, parseNetwork(longer)]).toEqual([longer, undefined]);
});

test("the edges of a network, and no address beside them, are in it", () => {
  const within = (network: string, address: string): boolean => isInNetworks(networkList([network]), address);
  expect(within("10.128.0.0/9", "10.128.0.0")).toBe(true);
  expect(within("10.128.0.0/9", "10.255.255.255")).toBe(true);
  expect(within("10.128.0.0/9", "10.127.255.255")).toBe(false);
  expect(within("2001:db8::/33", "2001:db8:7fff:ffff::1")).toBe(true);
  expect(within("2001:db8::/33", "2001:db8:8000::")).toBe(false);
  expect(within("203.0.113.7/32", "::ffff:203.0.113.7")).toBe(true);
});
