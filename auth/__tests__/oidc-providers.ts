// Part of oidc.test.ts, whose provider it shares: what is believed of a provider, and what one that hangs or lies costs.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { assertAllowed, outboundFetch } from "../../security/outbound";
import { OidcClients, type OidcSettings, type Provider } from "../oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { startForger, type Forge } from "./openid-forger";
import { CLIENT, type StartedProvider } from "./openid-provider";
import { here, reason } from "./people";

export const provided = (id: string, issuer: string): Provider => ({
  id,
  name: id,
  issuer,
  ...CLIENT,
  trust: "operator",
});

async function listening(
  answer: RequestListener,
): Promise<{ url: string; connections: () => number; close: () => void }> {
  const server = createServer(answer);
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, connections: () => connections, close };
}

interface Shared {
  acme: () => StartedProvider;
  settings: Omit<OidcSettings, "providers">;
}

export function providers({ acme: started, settings }: Shared): void {
  describe("a provider", () => {
    test("is asked once for what it says of itself, however many begin", async () => {
      const own = new OidcClients({ ...settings, providers: () => [provided("acme", started().issuer)] });
      const path = "/.well-known/openid-configuration";
      const before = started().asked(path);
      const begin = (): Promise<unknown> => beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), own);
      await Promise.all(Array.from({ length: 10 }, begin));
      await begin();
      expect(started().asked(path)).toBe(before + 1);
    });

    test("that hangs is given up, refuses at once from then on, and stops nobody else", async () => {
      const hung = await listening(() => undefined);
      const both = [provided("hung", hung.url), provided("acme", started().issuer)];
      const own = new OidcClients({ ...settings, timeoutMs: 2_000, providers: () => both });
      const begin = (provider: string): Promise<unknown> =>
        beginOidcSignIn({ provider, browser: undefined }, new Date(), own);
      const many = Array.from({ length: 40 }, () => reason(begin("hung")));
      const patient = new OidcClients({ ...settings, providers: () => both });
      await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), patient);
      const reasons = await Promise.all(many);
      expect(reasons.filter((told) => told === "oidc_unavailable")).toHaveLength(32);
      expect(reasons.filter((told) => told === "service_unavailable")).toHaveLength(8);
      const before = hung.connections();
      expect(await reason(begin("hung"))).toBe("oidc_unavailable");
      expect(hung.connections()).toBe(before);
      hung.close();
    });

    test("that is slow with each answer is given up by what all of them take, and the one under way is cut off", async () => {
      // Its tokens and its keys: each in time, both together not.
      const slow = await startForger(1_000);
      const ours = { ...settings, providers: () => [provided("acme", slow.issuer)] };
      const begun = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), new OidcClients(ours));
      const { state, nonce = "" } = Object.fromEntries(new URL(begun.url).searchParams);
      slow.answerWith({}, nonce);
      const back = { url: `${redirectUriOf({ id: "acme" })}?code=x&state=${state}`, browser: begun.browser };
      const impatient = new OidcClients({ ...ours, timeoutMs: 1_500 });
      const signingIn = completeOidcSignIn(back, new Date(), { address: here, device: null }, impatient);
      expect(await reason(signingIn)).toBe("oidc_unavailable");
      await expect.poll(slow.cut, { timeout: 10_000 }).toBe(1);
      await slow.close();
    });

    test("that calls itself by another issuer, or sends browsers to what is no address of the web, is refused", async () => {
      const metadata: Record<string, unknown> = {};
      const liar = await listening((_req, res) => {
        res.setHeader("content-type", "application/json");
        res.end(JSON.stringify(metadata));
      });
      const issuer = liar.url;
      const begin = (): Promise<string | undefined> => {
        const own = new OidcClients({ ...settings, providers: () => [provided("liar", issuer)] });
        return reason(beginOidcSignIn({ provider: "liar", browser: undefined }, new Date(), own));
      };
      const honest = { issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` };
      Object.assign(metadata, honest);
      expect(await begin()).toBeUndefined();
      Object.assign(metadata, { issuer: started().issuer });
      expect(await begin()).toBe("oidc_failed");
      for (const endpoint of ["javascript:alert(1)//", "http://example.com/auth", "data:text/html,x"]) {
        Object.assign(metadata, honest, { authorization_endpoint: endpoint });
        expect({ endpoint, reason: await begin() }).toEqual({ endpoint, reason: "oidc_unavailable" });
      }
      liar.close();
    });

    test("is believed by its signature, for our client, this sign-in and now, and not otherwise", async () => {
      const forger = await startForger();
      const own = new OidcClients({ ...settings, providers: () => [provided("acme", forger.issuer)] });
      const attempt = async (forge: Forge): Promise<string | undefined> => {
        const begun = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), own);
        const { state, nonce = "" } = Object.fromEntries(new URL(begun.url).searchParams);
        forger.answerWith(forge, nonce);
        const url = `${redirectUriOf({ id: "acme" })}?code=x&state=${state}`;
        return reason(
          completeOidcSignIn({ url, browser: begun.browser }, new Date(), { address: here, device: null }, own),
        );
      };
      expect(await attempt({})).toBeUndefined();
      const forgeries: Record<string, Forge> = {
        "another key": { key: "stranger" },
        "no signature": { key: "none" },
        "a shared secret": { key: "secret" },
        "another audience": { claims: { aud: "another-client" } },
        "another party's": { claims: { aud: [CLIENT.clientId, "other"], azp: "other" } },
        "another nonce": { claims: { nonce: "other" } },
        "no nonce": { claims: { nonce: undefined } },
        "another issuer": { claims: { iss: started().issuer } },
        expired: { claims: { exp: Math.floor(Date.now() / 1000) - 60 } },
        "no subject": { claims: { sub: undefined } },
        "an endless subject": { claims: { sub: "x".repeat(256) } },
      };
      for (const [what, forge] of Object.entries(forgeries))
        expect({ what, reason: await attempt(forge) }).toEqual({ what, reason: "oidc_failed" });
      await forger.close();
    });

    test("that an organisation names is asked at public addresses only, by whatever name it has", async () => {
      const rules = { trust: "organisation", allowLoopback: false } as const;
      const refused = [
        "http://id.example.com",
        "https://127.0.0.1",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]:8443",
        "https://[::ffff:10.0.0.1]",
        "https://localhost",
        "https://internal",
        "https://2130706433",
        "https://user:password@id.example.com",
        "ftp://id.example.com",
        `https://id.example.com/${"x".repeat(2_048)}`,
      ];
      for (const address of refused) {
        expect(() => assertAllowed(address, rules), address).toThrow();
        await expect(outboundFetch(rules)(address, { method: "GET", headers: {} }), address).rejects.toThrow();
      }
      expect(assertAllowed("https://id.example.com/realms/one", rules).hostname).toBe("id.example.com");
      // What the operator names may be private, and is https all the same.
      expect(assertAllowed("https://10.0.0.1", { ...rules, trust: "operator" }).hostname).toBe("10.0.0.1");
      expect(() => assertAllowed("http://10.0.0.1", { ...rules, trust: "operator" })).toThrow();
    });

    test("that answers without end is cut off", async () => {
      const flood = await listening((_req, res) => {
        const more = (): void => {
          while (!res.destroyed && res.write("x".repeat(65_536)));
          if (!res.destroyed) res.once("drain", more);
        };
        more();
      });
      const rules = { trust: "operator", allowLoopback: true } as const;
      await expect(outboundFetch(rules)(flood.url, { method: "GET", headers: {} })).rejects.toThrow("too large");
      flood.close();
    });
  });
}
