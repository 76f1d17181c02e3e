// A real OpenID provider on this machine, and a browser that goes there and back.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

export interface Person {
  sub: string;
  email?: string;
  email_verified?: boolean;
}

export const CLIENT = { clientId: "groundwork", clientSecret: "a secret of the client, long enough" };

export interface StartedProvider {
  issuer: string;
  /** Goes to `url` as this person; resolves with where the provider sends the browser back to. */
  visit: (url: string, person: Person) => Promise<string>;
  /** Requests it got since it started, by path. */
  asked: (path: string) => number;
  close: () => Promise<void>;
}

/** Who stands in front of the browser: a provider's own matter, here told by a header, which has no letters beyond Latin-1. */
const PERSON = "x-person";

export async function startOpenIdProvider(redirectUris: string[]): Promise<StartedProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const people = new Map<string, Person>();
  const provider = createProvider(issuer, redirectUris, people);
  const answer = provider.callback();
  const counts = new Map<string, number>();
  server.on("request", (req: IncomingMessage, res: ServerResponse) => {
    const path = new URL(req.url ?? "", issuer).pathname;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    if (path.startsWith("/interaction/")) void interact(provider, people, req, res);
    else void answer(req, res);
  });
  return {
    issuer,
    visit: (url, person) => visit(issuer, url, person),
    asked: (path) => counts.get(path) ?? 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function createProvider(issuer: string, redirectUris: string[], people: Map<string, Person>): Provider {
  return new Provider(issuer, {
    clients: [
      {
        client_id: CLIENT.clientId,
        client_secret: CLIENT.clientSecret,
        redirect_uris: redirectUris,
        token_endpoint_auth_method: "client_secret_post",
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ["a key of cookies"] },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ ...people.get(sub), sub }) }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client?.clientId ?? "",
        accountId: ctx.oidc.session?.accountId ?? "",
      });
      grant.addOIDCScope("openid email");
      await grant.save();
      return grant;
    },
  });
}

async function interact(
  provider: Provider,
  people: Map<string, Person>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const person = JSON.parse(decodeURIComponent(String(req.headers[PERSON]))) as Person;
  people.set(person.sub, person);
  await provider.interactionFinished(req, res, { login: { accountId: person.sub } });
}

const REDIRECTS_MAX = 10;

async function visit(issuer: string, start: string, person: Person): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let hop = 0; hop < REDIRECTS_MAX && url.startsWith(issuer); hop++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie, [PERSON]: encodeURIComponent(JSON.stringify(person)) },
    });
    for (const set of response.headers.getSetCookie()) {
      const [pair = ""] = set.split(";");
      cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const next = response.headers.get("location");
    if (next === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    url = new URL(next, url).href;
  }
  return url;
}
