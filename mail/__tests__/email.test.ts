// Whatever is accepted as an address can be mailed: it goes into the envelope as it is written, and a real server takes it.
import { domainToUnicode } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { isEmail, parseEmail, spellEmail } from "../email";
import { createSmtpTransport } from "../providers/smtp";
import type { MailTransport } from "../transport";
import { listenIn } from "./smtp-server";

const longest = (octets: number): string =>
  `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(octets - 197)}.com`;

describe("an address", () => {
  test.each([
    ["  Ada.Lovelace@Example.COM ", "ada.lovelace@example.com"],
    ["ada@bücher.example", "ada@xn--bcher-kva.example"],
    ["ａｄａ@example.com", "ada@example.com"],
    ["a+tag@example.com", "a+tag@example.com"],
    ["!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"],
    ["用户@例子.广告", "用户@xn--fsqu00a.xn--4rr70v"],
    ["अजय@डाटा.भारत", "अजय@xn--c2bd1gb.xn--h2brj9c"],
    ["J\u030cana@example.com", "\u01f0ana@example.com"],
    ["نامه\u200cای@example.com", "نامه\u200cای@example.com"],
    [`${"ü".repeat(32)}@example.com`, `${"ü".repeat(32)}@example.com`],
    [longest(254), longest(254)],
  ])("%s is %s", (text, email) => {
    expect(parseEmail(text)).toBe(email);
  });

  test.each([
    "",
    "@",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@localhost",
    "a da@example.com",
    "ada\u0000@example.com",
    "ada\u200b@example.com",
    "ada\ud800@example.com",
    // What nobody sees, or what hangs on nothing.
    ..."\u034f\ufe0f\u115f\u3164\u17b4\u200c\u200d\u00ad\u2060".split("").map((unseen) => `ad${unseen}a@example.com`),
    "\u0301ada@example.com",
    "ada.\u0301b@example.com",
    "नी\u200d@example.com",
    "a..b@example.com",
    ".ada@example.com",
    "ada.@example.com",
    '"ada"@example.com',
    '"a@b"@example.com',
    '"a b"@example.com',
    "a,b@example.com",
    "ada@b@example.com",
    "<ada@example.com>",
    "Ada <ada@example.com>",
    "ada(comment)@example.com",
    "ada\\@example.com",
    "ada@example.com/x",
    "ada@example.com?x",
    "ada@example.com:25",
    "ada@example%2ecom",
    "ada@exa mple.com",
    "ada@example.com\nbcc:all@example.com",
    "ada@exam_ple.com",
    "ada@-example.com",
    "ada@example-.com",
    "ada@example..com",
    "ada@.example.com",
    "ada@example.com.",
    "ada@192.0.2.1",
    "ada@[192.0.2.1]",
    "ada@example.1",
    "ada@xn--a",
    "ada@Σ-.example.com",
    "ada@-ü.example.com",
    "ada@ab--ü.example.com",
    `${"a".repeat(65)}@example.com`,
    `${"ü".repeat(33)}@example.com`,
    `a@${"b".repeat(64)}.com`,
    `a@${"b".repeat(250)}.com`,
    longest(255),
    // Beside a local part that is not ASCII the domain is sent in its own script: here far more octets than in the DNS.
    `ü@${Array.from({ length: 4 }, () => "𠮷".repeat(40)).join(".")}.com`,
    `${"a".repeat(100_000)}@example.com`,
  ])("is not %j", (text) => {
    expect(parseEmail(text)).toBeUndefined();
  });
});

// Alphabets of what goes wrong: separators, quotes, dots, capitals that fold, other scripts, marks, halves of characters.
const HOSTILE = [...`abzAZ09.@"<>()[],;:\\/ %!#$&'*+=?^_\`{|}~-`, "\t", "\r", "\n", "\0", "\u007f", "\u0085", "\u2028"];
const STRANGE = [
  "İ",
  "ß",
  "ſ",
  "K",
  "Σ",
  "ς",
  "J\u030c",
  "\u0301",
  "\u200d",
  "\u200b",
  "\ufeff",
  "ﬁ",
  "℀",
  "．",
  "＠",
  "。",
  "😀",
  "𠮷",
  "ü",
  "用",
  "\ud800",
];
const texts = (units: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...units), { minLength: 1, maxLength }).map((all) => all.join(""));
const atom = fc.oneof(
  { weight: 8, arbitrary: texts([..."abcxyz0189!#$%&'*+/=?^_`{|}~-"], 12) },
  { weight: 4, arbitrary: texts([..."äßñčΩжשא用户अक", "\u0301", "𠮷"], 6) },
  { weight: 1, arbitrary: texts([...HOSTILE, ...STRANGE], 6) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
);
const label = fc.oneof(
  { weight: 8, arbitrary: texts([..."abcxyz019"], 20) },
  { weight: 1, arbitrary: texts([..."abcxyz019-"], 20) },
  { weight: 2, arbitrary: texts([..."äñčж"], 8) },
  { weight: 1, arbitrary: texts([..."äßñčΩжשא用户अक", "𠮷"], 8) },
  { weight: 1, arbitrary: texts([..."abc019"], 12).map((rest) => `xn--${rest}`) },
  { weight: 1, arbitrary: texts([...HOSTILE, ...STRANGE], 6) },
);
const address = fc
  .tuple(
    fc.array(atom, { minLength: 1, maxLength: 3 }),
    fc.array(label, { minLength: 1, maxLength: 4 }),
    fc.constantFrom("com", "org", "museum", "xn--p1ai", "рф", "c", "1", ""),
  )
  .map(([local, domain, top]) => `${local.join(".")}@${domain.join(".")}.${top}`);

describe("every address that is accepted", () => {
  let server: Awaited<ReturnType<typeof listenIn>>;
  let transport: MailTransport;
  beforeAll(async () => {
    server = await listenIn({});
    transport = createSmtpTransport({ url: `smtp://127.0.0.1:${server.port}`, from: "mail@groundwork.test" });
  });
  afterAll(async () => {
    transport.close();
    await server.close();
  });

  /** As an envelope names it: beside a local part that needs SMTPUTF8 the domain is in its own script (RFC 6531 §3.7.1 leaves both). */
  const written = (email: string): string => {
    const at = email.lastIndexOf("@");
    const domain = email.slice(at + 1);
    return /[^\u0000-\u007f]/.test(email) ? `${email.slice(0, at)}@${domainToUnicode(domain)}` : email;
  };

  test("is taken by a server, byte for byte and alone in its envelope, and is its own one spelling", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(address, async (text) => {
        const email = parseEmail(text);
        if (email === undefined) return;
        accepted++;
        expect(parseEmail(email)).toBe(email);
        expect(spellEmail(email)).toBe(email);
        server.said();
        await transport.send({ id: newId(), to: email, subject: "s", text: "t" });
        const recipients = server.said().match(/^RCPT TO:.*$/gm);
        expect(recipients).toEqual([`RCPT TO:<${written(email)}>`]);
      }),
      { numRuns: 800 },
    );
    // Enough of them are addresses, or this tells nothing.
    expect(accepted).toBeGreaterThan(100);
  });

  test("up to the longest: 64 octets before the sign, 253 in all", async () => {
    for (const email of [longest(253), `${"ü".repeat(32)}@example.com`]) {
      server.said();
      await transport.send({ id: newId(), to: email, subject: "s", text: "t" });
      expect(server.said()).toContain(`RCPT TO:<${email}>\r\n`);
    }
  });

  // RFC 5321 §4.5.3.1.3 allows a path of 256 octets with its brackets; the server above counts one less when it is strict.
  test("at 254 octets too, by a server that counts as the standard does", async () => {
    const wide = await listenIn({ lenientAddressParsing: true });
    const toWide = createSmtpTransport({ url: `smtp://127.0.0.1:${wide.port}`, from: "mail@groundwork.test" });
    await toWide.send({ id: newId(), to: longest(254), subject: "s", text: "t" });
    expect(wide.said()).toContain(`RCPT TO:<${longest(254)}>\r\n`);
    toWide.close();
    await wide.close();
  });
});

test("a mailbox has one spelling, whatever is folded, and folding again changes nothing", () => {
  fc.assert(
    fc.property(address, fc.string({ unit: "binary", maxLength: 40 }), (text, noise) => {
      for (const one of [text, `${noise}@example.com`]) {
        const spelled = spellEmail(one);
        if (spelled !== undefined) expect(spellEmail(spelled)).toBe(spelled);
      }
    }),
    { numRuns: 2_000 },
  );
  for (const broken of ["a@xn--a.example.com", "a@xn--a.xn--b", `${"a".repeat(255)}@example.com`])
    expect(isEmail(broken), broken).toBe(false);
});
