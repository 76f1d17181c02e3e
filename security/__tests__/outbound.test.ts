// What whoever may name an address tries, to have the app ask its own network for them (SSRF): spellings of addresses, names that
// lead inside or change their mind, redirects, addresses of clouds' metadata. Nothing of it arrives.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertAllowed, lookupPublic, outboundFetch, type OutboundRules } from "../outbound";
import { addressRecords, startNameServer, type NameServer } from "./name-server";
import { leadingInside, spelled } from "./ssrf-tricks";

/** As in production. */
const closed = { trust: "organisation", allowLoopback: false } as const satisfies OutboundRules;

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

  test("has a few addresses that are tried, however many its name server tells", async () => {
    const name = "many.example.com";
    answers.set(name, [Array.from({ length: 25 }, (_, n) => `8.8.8.${n}`)]);
    const found = await new Promise<unknown>((resolve, reject) =>
      lookupPublic([names.address])(name, { all: true }, (error, all) =>
        error === null ? resolve(all) : reject(error),
      ),
    );
    expect(found).toHaveLength(8);
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
