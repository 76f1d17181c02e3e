// What providers of organisations that hang cost everybody else, by servers that take connections and never answer.
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { genericGrantRequest } from "openid-client";
import { afterEach, expect, test } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { OidcClients, type Provider } from "../oidc/providers";
import { CLIENT } from "./openid-provider";
import { reason } from "./people";

const TIMEOUT_MS = 2_000;
let nowMs = 0;
const started: (Server | HttpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of started.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});
async function listening(server: Server | HttpServer): Promise<string> {
  started.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Peer {
  issuer: string;
  /** Connections, or requests, that it got. */
  asked: () => number;
}
async function hanging(): Promise<Peer> {
  let asked = 0;
  return { issuer: await listening(createServer(() => asked++)), asked: () => asked };
}
/** Says of itself what it has to, where it answers. */
async function healthy(answers = (_url: string): boolean => true): Promise<Peer> {
  let asked = 0;
  const server = createHttpServer((request, response) => {
    asked++;
    if (!answers(request.url ?? "")) return;
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` }),
    );
  });
  const issuer = await listening(server);
  return { issuer, asked: () => asked };
}

const made = (): OidcClients =>
  new OidcClients({ providers: () => [], allowLoopback: true, timeoutMs: TIMEOUT_MS, nowMs: () => nowMs });
const organisation = (issuer: string, tenantId = crypto.randomUUID()): Provider => {
  const id = crypto.randomUUID();
  return { id, name: id, issuer, ...CLIENT, trust: "organisation", tenantId: tenantIdFrom(tenantId) };
};
const use = (clients: OidcClients, provider: Provider): Promise<string | undefined> =>
  reason(clients.use(provider, () => Promise.resolve()));
const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test("thirty-two organisations whose providers hang, with eight people each, keep no other organisation out", async () => {
  const clients = made();
  const [hung, good] = [await hanging(), await healthy()];
  const theirs = times(32, () => organisation(hung.issuer)).flatMap((provider) =>
    times(8, () => use(clients, provider)),
  );
  expect(await use(clients, organisation(good.issuer))).toBeUndefined();
  const told = await Promise.all(theirs);
  expect([...new Set(told)]).toEqual(["oidc_unavailable"]);
});

test("those that answered well and then hang all at once, with tokens, keep no other out", async () => {
  const clients = made();
  const path = "/token";
  const [sly, good] = [await healthy((url) => url !== path), await healthy()];
  const theirs = times(32, () => organisation(sly.issuer));
  await Promise.all(theirs.map((provider) => use(clients, provider)));
  const ask = (provider: Provider): Promise<string | undefined> =>
    reason(clients.use(provider, (client) => genericGrantRequest(client, "client_credentials", {})));
  const hung = theirs.flatMap((provider) => times(8, () => ask(provider)));
  const others = times(32, () => organisation(good.issuer));
  expect(new Set(await Promise.all(others.map((provider) => use(clients, provider))))).toEqual(new Set([undefined]));
  expect(new Set(await Promise.all(hung))).toEqual(new Set(["oidc_unavailable"]));
});

test("as many as there are turns for, which answered well and then hang at once, keep others out for a second", async () => {
  const clients = made();
  const path = "/token";
  const [sly, good] = [await healthy((url) => url !== path), await healthy()];
  const theirs = times(128, () => organisation(sly.issuer));
  const own = organisation(good.issuer);
  expect(await use(clients, own)).toBeUndefined();
  expect(new Set(await Promise.all(theirs.map((provider) => use(clients, provider))))).toEqual(new Set([undefined]));
  const ask = (provider: Provider): Promise<string | undefined> =>
    reason(clients.use(provider, (client) => genericGrantRequest(client, "client_credentials", {})));
  const hung = theirs.map(ask);
  await expect.poll(sly.asked).toBe(256);
  expect(await ask(own)).toBe("service_unavailable");
  nowMs += 1_000;
  // It is asked: what it answers is no token.
  expect(await ask(own)).toBe("oidc_failed");
  expect(new Set(await Promise.all(hung))).toEqual(new Set(["oidc_unavailable"]));
});

test("a provider that hung is not asked for a while, whatever its organisation renames it to, and then by one at a time until it answers", async () => {
  const clients = made();
  let isUp = false;
  const peer = await healthy(() => isUp);
  const tenantId = crypto.randomUUID();
  const hung = use(clients, organisation(peer.issuer, tenantId));
  await expect.poll(peer.asked).toBe(1);
  nowMs += TIMEOUT_MS;
  expect(await hung).toBe("oidc_unavailable");
  const before = peer.asked();
  const refused = (await clients
    .use(organisation(peer.issuer, tenantId), () => Promise.resolve())
    .catch((e: unknown) => e)) as {
    details: unknown;
  };
  expect(refused.details).toMatchObject({
    reason: "oidc_unavailable",
    retryAfterSeconds: 1,
  });
  expect(peer.asked()).toBe(before);
  isUp = true;
  nowMs += 1_000;
  expect(await use(clients, organisation(peer.issuer, tenantId))).toBeUndefined();
  expect(peer.asked()).toBe(before + 1);
});
