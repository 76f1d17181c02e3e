import { expect, test } from "vitest";
import { isPublicAddress } from "../public-address";

test("addresses of the public internet are told from all others, in every spelling", () => {
  const open = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
  ];
  for (const address of open)
    expect({ address, isPublic: isPublicAddress(address) }).toEqual({ address, isPublic: true });
  const closed = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.168.1.1",
    "198.19.255.255",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "127.1",
    "localhost",
    "",
  ];
  for (const address of closed)
    expect({ address, isPublic: isPublicAddress(address) }).toEqual({ address, isPublic: false });
});
