// The screen that new passwords pass, wherever one is set: common ones, words of the context, leaked ones.
import { createHash } from "node:crypto";
import dns from "node:dns";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { auth } from "~encore/clients";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { parseConfig } from "../../config/schema";
import { newId } from "../../db/ids";
import { leastThreadMs, slowdown } from "../../scripts/testing/growth";
import { askForBreaches, createBreachCheck } from "../breached-passwords";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "../organisations";
import { readCommonPasswords, screenPassword } from "../password-screen";
import { register } from "../registration";
import { signIn } from "../sessions";
import { as } from "./callers";
import { mailedToken } from "./mails";
import { newcomer, password, reason } from "./people";

const kept = await vi.hoisted(async () => (await import("../../security/__tests__/kept-lines")).keepLines());
afterAll(kept.stop);

const about = { email: "ada.lovelace@example.com", names: ["Analytical Engines", "Óbuda Kft."] };
const problemOf = async (text: string): Promise<string | undefined> =>
  screenPassword(text, about).then(
    () => undefined,
    (error: unknown) => (error as { details: { fields: { password: string } } }).details.fields.password,
  );

/** Far below the 50 that nothing may take: so much is left to a machine that is slower, and cold. */
const HOSTILE_MS = 12;

describe("a new password", () => {
  test("is none of the most common ones that are long enough, of which there are more than three thousand", async () => {
    expect((await readCommonPasswords()).size).toBeGreaterThan(3_000);
    for (const common of ["starwars1", "Qwerty123456", "football1", "ILOVEYOU2", "１２３４５６７８９"])
      expect(await problemOf(common), common).toMatch(/common|repeats/);
  });

  test.each([
    "lovelace1815",
    "Ada.Lovelace",
    "ada.lovelace!!",
    "AnalyticalEngines",
    "analytical-engines-1",
    "4n4lyt1cal 3ngin3s",
    "óbuda kft 24",
    "groundwork 1st",
    "Gr0undw0rk!!!!",
  ])("%s is made of words that whoever guesses tries first", async (text) => {
    expect(await problemOf(text)).toMatch(/e-mail|name/);
  });

  test.each(["lovelace rides a bicycle", "my groundwork is made of stone", "correct horse battery", "Ada!Bex?Cyd#Dov"])(
    "%s has enough beside them",
    async (text) => {
      expect(await problemOf(text)).toBeUndefined();
    },
  );

  test("of a hundred thousand characters is refused before anything is done with it", async () => {
    // One sign that becomes eighteen: the worst for normalising.
    const normalised = vi.spyOn(String.prototype, "normalize");
    for (const long of ["\ufdfa".repeat(100_000), "a".repeat(100_000), "e\u0301".repeat(50_000)])
      expect(await problemOf(long)).toMatch(/longer/);
    expect(normalised).not.toHaveBeenCalled();
    normalised.mockRestore();
  });

  test("costs a few milliseconds, whatever a hundred organisations call themselves", async () => {
    const hostile = [
      "\ufdfa".repeat(100), // one sign that becomes eighteen
      "\u00bd".repeat(100), // and three of which two are kept
      "\u0130".repeat(100), // whose small letter is two
      "a\u0315\u0316".repeat(33),
      "\u{1d400}".repeat(100),
      "!@$0".repeat(25),
      "aaaa",
    ];
    const long = ["\ufdfa".repeat(5) + "abcdefgh", "a!".repeat(60) + "bcdefgh", "\u0130bc\u0315defg".repeat(15)];
    for (const name of hostile)
      for (const text of long) {
        const names = Array.from({ length: ORGANISATIONS_PER_ACCOUNT_MAX }, (_, n) => `${name.slice(0, -4)}${n}`);
        const screened = (): Promise<unknown> =>
          screenPassword(text, { email: `${"a.".repeat(31)}a@example.com`, names }).catch(() => undefined);
        expect(await leastThreadMs(screened), JSON.stringify([name, text])).toBeLessThan(
          HOSTILE_MS * (await slowdown()),
        );
      }
  });

  test("is screened at registration, change and reset", async () => {
    const weak = "starwars1";
    const ada = newcomer();
    expect(await reason(register({ ...ada, password: weak }, new Date()))).toBe("weak_password");
    expect(await reason(register({ ...ada, organisation: "Difference", password: "difference1" }, new Date()))).toBe(
      "weak_password",
    );
    const organisation = "Sesame Street";
    const registered = await register({ ...ada, organisation }, new Date());
    const caller = await as(registered);
    for (const bad of [weak, "sesame street 1"])
      expect(await reason(auth.changePassword({ current: password, password: bad }, caller))).toBe("weak_password");
    await auth.forgotPassword({ email: ada.email });
    const token = await mailedToken(ada.email);
    for (const bad of [weak, "sesame street 1"])
      expect(await reason(auth.resetPassword({ token, password: bad }))).toBe("weak_password");
    await auth.resetPassword({ token, password: "another fine passphrase" });
  });
});

// A server written from the documentation of Have I Been Pwned's range API.
describe("leaked passwords", () => {
  let server: Server | undefined;
  const asked: { url: string; padding: string | undefined }[] = [];
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
    asked.length = 0;
  });

  async function serviceOf(
    listener: RequestListener,
    more: Record<string, string> = {},
  ): Promise<Parameters<typeof askForBreaches>[1]> {
    const listening = createServer((req, res) => {
      asked.push({ url: req.url ?? "", padding: req.headers["add-padding"] as string | undefined });
      listener(req, res);
    });
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { port } = listening.address() as AddressInfo;
    return parseConfig({ NODE_ENV: "test", BREACHED_PASSWORDS_URL: `http://127.0.0.1:${port}/range`, ...more });
  }

  const sha1 = (text: string): string => createHash("sha1").update(text).digest("hex").toUpperCase();
  const line = (text: string, count: number): string => `${sha1(text).slice(5)}:${count}`;
  const answering =
    (lines: string[], status = 200): RequestListener =>
    (_req, res) => {
      res.writeHead(status, { "content-type": "text/plain" }).end(lines.join("\r\n"));
    };

  test("are asked for by five characters of the hash, and found among its range", async () => {
    const service = await serviceOf(
      answering([`${"0".repeat(35)}:3`, line("a leaked passphrase", 42), line("padding", 0)]),
    );
    expect(await askForBreaches("a leaked passphrase", service)).toBe("found");
    expect(asked).toEqual([{ url: `/range/${sha1("a leaked passphrase").slice(0, 5)}`, padding: "true" }]);
    expect(await askForBreaches("padding", service), "lines that pad have the count 0").toBe("absent");
    expect(await askForBreaches("another", service)).toBe("absent");
  });

  test("are not asked for where no service is configured", async () => {
    expect(await askForBreaches("a leaked passphrase", parseConfig({ NODE_ENV: "test" }))).toBe("absent");
    expect(() => parseConfig({ NODE_ENV: "production", BREACHED_PASSWORDS_URL: "http://api.example/range" })).toThrow(
      /BREACHED_PASSWORDS_URL is not https/,
    );
  });

  test("a service that fails, talks without end, or hangs is away", async () => {
    expect(await askForBreaches("x", await serviceOf(answering([], 503)))).toBe("away");
    server?.close();
    const endless = await serviceOf((_req, res) => {
      const more = (): boolean => res.write("0".repeat(65_536));
      res.on("drain", more);
      more();
    });
    expect(await askForBreaches("x", endless)).toBe("away");
    server?.closeAllConnections();
    server?.close();
    const silent = await serviceOf(() => undefined);
    expect(await askForBreaches("x", silent, 50)).toBe("away");
  });

  test("a service that hung a moment ago is away at once, and asked for nothing", async () => {
    const limitMs = 60_000;
    let nowMs = 0;
    // Its time passes with the request.
    const silent = await serviceOf((req) => {
      nowMs += limitMs;
      req.socket.destroy();
    });
    const check = createBreachCheck(() => nowMs);
    for (let n = 0; n < 3; n++) expect(await check("x", silent, limitMs)).toBe("away");
    expect(asked).toHaveLength(1);
    nowMs += 1_000;
    expect(await check("x", silent, limitMs)).toBe("away");
    expect(asked).toHaveLength(2);
  });

  test("a service whose name hangs is looked up once, however many ask for it", async () => {
    const look = vi.spyOn(dns.promises, "lookup").mockReturnValue(new Promise(() => undefined));
    const hung = parseConfig({ NODE_ENV: "test", BREACHED_PASSWORDS_URL: "https://hung.example/range" });
    for (let n = 0; n < 3; n++) expect(await askForBreaches("x", hung, 20)).toBe("away");
    expect(look.mock.calls.map(([name]) => name)).toEqual(["hung.example"]);
    look.mockRestore();
  });

  test("refuse a password, and so does a service that is away where operators chose that", async () => {
    const leaked = "a leaked passphrase";
    const answers = await serviceOf(answering([line(leaked, 1)]));
    expect(await reason(screenPassword(leaked, about, answers))).toBe("weak_password");
    expect(await reason(screenPassword("another passphrase", about, answers))).toBeUndefined();
    server?.close();
    const away = answering([], 500);
    expect(await reason(screenPassword(leaked, about, await serviceOf(away)))).toBeUndefined();
    server?.close();
    const strict = await serviceOf(away, { BREACHED_PASSWORDS_WHEN_AWAY: "refuse" });
    expect(await reason(screenPassword(leaked, about, strict))).toBe("password_unchecked");
  });
});

// Source of the rule: ASVS 5.0 16.3.1. Here, because this file has a process of its own: the log is read back.
test("a sign-in leaves a line with account, session and how its person showed who they are, and no credential", async () => {
  const person = { email: `${newId()}@example.com`, password: "a passphrase of many words" };
  kept.lines.length = 0;
  const registered = await register({ ...person, organisation: "Acme" }, new Date());
  await expect(signIn({ ...person, password: "a wrong passphrase" }, new Date(), "203.0.113.9")).rejects.toThrow();
  const session = await signIn(person, new Date(), "203.0.113.9");
  const lines = kept.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const signedIn = lines.filter(({ message }) => message === "signed in");
  const line = { level: "info", component: "auth", accountId: registered.user.id, amr: ["pwd"] };
  expect(signedIn).toMatchObject([line, line]);
  expect(new Set(signedIn.map(({ sessionId }) => sessionId)).size).toBe(2);
  expect(kept.lines.join("\n")).not.toContain(person.password);
  expect(kept.lines.join("\n")).not.toContain(session.refreshToken);
});
