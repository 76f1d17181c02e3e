// Passkeys as a person has them: the started app, a real browser, and its virtual authenticator (WebAuthn domain of the
// DevTools protocol). What goes between them is WebAuthn's JSON.
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchBrowser } from "../../runtime/__tests__/whole-app/web/browser";
import { startApp, temporaryStateDir, type RunningApp } from "../../runtime/__tests__/whole-app/support/running-app";

const state = temporaryStateDir();
let app: RunningApp;
let browser: Browser;
let page: Page;
let devtools: CDPSession;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(state.path), launchBrowser()]);
  page = await browser.newPage();
  // Where people use the app, as APP_URL says if nothing is set: another server than the API, here an empty page.
  await page.route("http://localhost:4000/**", (route) =>
    route.fulfill({ contentType: "text/html", body: "<p>app</p>" }),
  );
  await page.goto("http://localhost:4000/");
  devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
});

afterAll(async () => {
  await browser?.close();
  await app?.stop();
  state.remove();
});

interface Answer {
  status: number;
  body: Record<string, never> & { details?: { reason: string; challenge: string; methods: string[] } };
}

async function post(path: string, body: unknown, accessToken?: string): Promise<Answer> {
  const response = await fetch(app.baseUrl + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const create = (options: unknown): Promise<unknown> =>
  page.evaluate(async (json) => {
    const { PublicKeyCredential: Passkey, navigator: browser } = globalThis as never as Globals;
    const made = await browser.credentials.create({ publicKey: Passkey.parseCreationOptionsFromJSON(json) });
    return made.toJSON();
  }, options);

const get = (options: unknown): Promise<unknown> =>
  page.evaluate(async (json) => {
    const { PublicKeyCredential: Passkey, navigator: browser } = globalThis as never as Globals;
    const signed = await browser.credentials.get({ publicKey: Passkey.parseRequestOptionsFromJSON(json) });
    return signed.toJSON();
  }, options);

/** What the page has; the sources of the app have no types of browsers. */
interface Globals {
  PublicKeyCredential: {
    parseCreationOptionsFromJSON(json: unknown): unknown;
    parseRequestOptionsFromJSON(json: unknown): unknown;
  };
  navigator: {
    credentials: Record<"create" | "get", (options: { publicKey: unknown }) => Promise<{ toJSON(): unknown }>>;
  };
}

test.each([
  { transport: "internal" as const, isUserVerified: true },
  { transport: "usb" as const, isUserVerified: false },
])(
  "a browser's $transport authenticator is added, and signs in as far as it verifies its user ($isUserVerified)",
  async ({ transport, isUserVerified }) => {
    const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport,
        // A key without a PIN keeps none that the person could choose from.
        hasResidentKey: isUserVerified,
        hasUserVerification: isUserVerified,
        isUserVerified,
        automaticPresenceSimulation: true,
      },
    });
    const person = { email: `${transport}@example.com`, password: "a passphrase of many words", organisation: "Acme" };
    const registered = await post("/auth/register", person);
    const accessToken = String(registered.body.accessToken);
    const begun = await post("/auth/passkeys/options", {}, accessToken);
    expect(begun.status).toBe(200);
    const attestation = await create(begun.body.options);
    const added = await post(
      "/auth/passkeys",
      { challenge: begun.body.challenge, name: transport, attestation },
      accessToken,
    );
    expect(added).toMatchObject({ status: 200, body: { id: expect.any(String) } });
    expect(added.body.recoveryCodes).toHaveLength(10);

    const asked = await post("/auth/login", { email: person.email, password: person.password });
    const { challenge = "", methods } = asked.body.details ?? {};
    expect(methods).toEqual(["passkey", "recovery-code"]);
    const second = await post("/auth/login/second-factor/options", { challenge });
    const passkey = await get(second.body.options);
    const signedIn = await post("/auth/login/second-factor", { challenge, passkey });
    expect(signedIn).toMatchObject({ status: 200, body: { user: { email: person.email } } });

    if (isUserVerified) {
      const alone = await post("/auth/login/passkey/options", {});
      const chosen = await get(alone.body.options);
      const answer = await post("/auth/login/passkey", { challenge: alone.body.challenge, passkey: chosen });
      expect(answer).toMatchObject({ status: 200, body: { user: { email: person.email } } });
      const again = await post("/auth/login/passkey", { challenge: alone.body.challenge, passkey: chosen });
      expect(again).toMatchObject({ status: 401 });
    }
    await devtools.send("WebAuthn.removeVirtualAuthenticator", { authenticatorId });
  },
);
