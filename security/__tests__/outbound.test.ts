// What whoever may name an address tries, to have the app ask its own network for them (SSRF): spellings of addresses, names that
// lead inside or change their mind, redirects, addresses of clouds' metadata. Nothing of it arrives.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertAllowed, lookupPublic, outboundFetch, type OutboundRules } from "../outbound";
import { addressRecords, startNameServer, type NameServer } from "./name-server";

/** As in production. */
const closed = { trust: "organisation", allowLoopback: false } as const satisfies OutboundRules;

/** Refused as they stand. */
const spelled: readonly string[] = [
  // Other protocols, and none
  ...["http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO"],
  ...[
    "dict://127.0.0.1:11211/stat",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//127.0.0.1/",
    "hooks.example.com",
    "",
  ],
  // This machine
  ...["https://127.0.0.1/", "https://127.0.0.1:5432/", "https://127.1/", "https://127.0.1/", "https://0/"],
  ...["https://0.0.0.0/", "https://127.255.255.254/", "https://127.0.0.1./", "https://127.0.0.1.:443/"],
  // In octal, hexadecimal, as one number
  ...["https://0177.0.0.1/", "https://0177.0000.0000.0001/", "https://0x7f.0.0.1/", "https://0x7f000001/"],
  ...["https://2130706433/", "https://017700000001/", "https://0x7f.1/", "https://3232235777/", "https://0xa9fea9fe/"],
  ...["https://0251.0376.0251.0376/", "https://2852039166/", "https://169.254.43518/"],
  // In other digits, dots and percent signs
  ...["https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/", "https://127.0.0.１/", "https://%31%32%37.0.0.1/"],
  ...["https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://loc%61lhost/", "https://127.0.0.1%2f@hooks.example.com/"],
  // Names of this machine and of private networks
  ...["https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://localhost.localdomain/"],
  ...["https://redis/", "https://metadata/", "https://metadata.google.internal/", "https://printer.local/"],
  ...["https://db.corp/", "https://router.home.arpa/", "https://kubernetes.default.svc/", "https://intranet/"],
  // Private networks
  ...["https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/"],
  ...[
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://192.0.0.8/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
  ],
  // Metadata of clouds
  ...["https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/v2/credentials", "https://100.100.100.200/"],
  ...["https://[fd00:ec2::254]/", "https://[fe80::a9fe:a9fe]/"],
  // IPv6 that is this machine, a private network, or carries IPv4
  ...["https://[::]/", "https://[::1]/", "https://[0:0:0:0:0:0:0:1]/", "https://[::ffff:127.0.0.1]/"],
  ...[
    "https://[::ffff:7f00:1]/",
    "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
  ],
  ...["https://[64:ff9b::7f00:1]/", "https://[64:ff9b::169.254.169.254]/", "https://[64:ff9b:1::a00:1]/"],
  ...["https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/", "https://[2001:0:7f00:1::]/", "https://[fc00::1]/"],
  ...[
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[ff02::1]/",
    "https://[fec0::1]/",
    "https://[2001:db8::1]/",
  ],
  // Another host than a reader believes
  ...[
    "https://hooks.example.com@127.0.0.1/",
    "https://user:password@hooks.example.com/",
    "https://127.0.0.1#@hooks.example.com/",
  ],
  ...[
    "https://127.0.0.1?@hooks.example.com/",
    "https://127.0.0.1\\@hooks.example.com/",
    "https:127.0.0.1/",
    "https:/\\10.0.0.1/",
  ],
  ...["https://ho\toks.example.com:@10.0.0.1/", `https://hooks.example.com/${"x".repeat(2_048)}`],
];

/** Names that are no address and lead to one. */
const leadingInside: Readonly<Record<string, readonly string[]>> = {
  "loopback.example.com": ["127.0.0.1"],
  "any.example.com": ["0.0.0.0"],
  "private.example.com": ["10.0.0.1"],
  "metadata.example.com": ["169.254.169.254"],
  "mapped.example.com": ["::ffff:7f00:1"],
  "six.example.com": ["::1"],
  "local-six.example.com": ["fd00::1"],
  "nat64.example.com": ["64:ff9b::7f00:1"],
  "one-of-two.example.com": ["8.8.8.8", "127.0.0.1"],
  "six-of-two.example.com": ["8.8.8.8", "::1"],
  "127.0.0.1.nip.example.com": ["127.0.0.1"],
  "nothing.example.com": [],
};

describe("an address that an organisation names", () => {
  let inside: Server;
  let requests = 0;
  let port = 0;
  let names: NameServer;
  const answers = new Map<string, readonly (readonly string[])[]>();
  const turn = new Map<string, number>();

  beforeAll(async () => {
    inside = createServer((_, answer) => {
      requests++;
      answer.end("secret");
    });
    // Every interface, both families.
    await new Promise<void>((resolve) => inside.listen(0, resolve));
    port = (inside.address() as AddressInfo).port;
    names = await startNameServer((name, type) => {
      const said = answers.get(name);
      if (said === undefined) return addressRecords(leadingInside[name] ?? [], type);
      // Both questions of a look-up, for IPv4 and IPv6, are of one turn.
      const at = turn.get(name) ?? 0;
      turn.set(name, at + 1);
      return addressRecords(said[Math.min(Math.floor(at / 2), said.length - 1)] ?? [], type);
    });
  });
  afterAll(async () => {
    await names.close();
    inside.closeAllConnections();
    inside.close();
  });

  test.each(spelled)("is refused as it stands: %s", async (address) => {
    expect(() => assertAllowed(address, closed)).toThrow();
    await expect(outboundFetch(closed)(address, { method: "POST", headers: {} })).rejects.toThrow();
  });

  test.each(Object.keys(leadingInside))("is refused where its name leads: %s", async (name) => {
    const address = `https://${name}:${port}/`;
    expect(assertAllowed(address, closed).hostname).toBe(name);
    const asked = outboundFetch({ ...closed, nameServers: [names.address] })(address, { method: "POST", headers: {} });
    await expect(asked).rejects.toThrow(/the name (leads to an address that is not public|has no address)/);
  });

  test("is judged as it is connected to: a name that changes its mind gains nothing", async () => {
    const name = "rebinding.example.com";
    // Whoever looked it up before, to check it, would find a public address, and be let through.
    answers.set(name, [["8.8.8.8"], ["127.0.0.1"]]);
    const before = await new Promise((resolve, reject) =>
      lookupPublic([names.address])(name, {}, (error, address) => (error === null ? resolve(address) : reject(error))),
    );
    expect(before).toBe("8.8.8.8");
    const rules = { ...closed, nameServers: [names.address] };
    const asked = outboundFetch(rules)(`https://${name}:${port}/`, { method: "POST", headers: {} });
    await expect(asked).rejects.toThrow("the name leads to an address that is not public");
    // One look-up a request: nobody asks again between the judgement and the connection.
    expect(names.asked.filter((asked) => asked === name)).toHaveLength(4);
  });

  test("is asked once: a redirect is an answer, wherever it leads", async () => {
    const redirecting = createServer((request, answer) => {
      answer.writeHead(request.method === "POST" ? 307 : 302, { location: `http://127.0.0.1:${port}/` }).end();
    });
    await new Promise<void>((resolve) => redirecting.listen(0, "127.0.0.1", resolve));
    const { port: at } = redirecting.address() as AddressInfo;
    for (const method of ["POST", "GET"]) {
      const asked = outboundFetch({ ...closed, allowLoopback: true })(`http://127.0.0.1:${at}/`, {
        method,
        headers: {},
      });
      expect((await asked).status).toBe(method === "POST" ? 307 : 302);
    }
    redirecting.close();
  });

  test("that is public is let through, by its name and by its number", () => {
    for (const address of ["https://hooks.example.com/a?b=c", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"])
      expect(assertAllowed(address, closed).href).toBe(address);
  });

  test("has brought nothing of all this to a server inside", () => {
    expect(spelled.length + Object.keys(leadingInside).length).toBeGreaterThanOrEqual(60);
    expect(requests).toBe(0);
  });
});
