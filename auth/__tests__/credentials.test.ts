import { describe, expect, test, vi } from "vitest";
import { normaliseEmail } from "../email";
import { deriveKey, EnvelopeError, open, seal } from "../envelope";
import { checkPassword, hashPassword, passwordProblem } from "../passwords";
import { createRefreshToken, hashRefreshToken, judgeRefresh, REUSE_GRACE_MS } from "../refresh-token";

// The real library, watched: what it is asked to verify tells what a check costs.
const { library, verify } = await vi.hoisted(async () => {
  const real = await import("@node-rs/argon2");
  return { library: real, verify: vi.fn(real.verify) };
});
vi.mock("@node-rs/argon2", () => ({ ...library, verify }));

describe("e-mail addresses", () => {
  test.each([
    ["  Ada.Lovelace@Example.COM ", "ada.lovelace@example.com"],
    ["ada@bücher.example", "ada@xn--bcher-kva.example"],
    ["ａｄａ@example.com", "ada@example.com"],
    ["a+tag@example.com", "a+tag@example.com"],
  ])("%s is %s", (text, email) => {
    expect(normaliseEmail(text)).toBe(email);
  });

  test.each([
    "",
    "@",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "a da@example.com",
    "ada\u0000@example.com",
    "ada@exa mple.com",
    `${"a".repeat(65)}@example.com`,
    `a@${"b".repeat(250)}.com`,
  ])("%j is none", (text) => {
    expect(normaliseEmail(text)).toBeUndefined();
  });
});

describe("passwords", () => {
  test.each([
    ["short1!", "shorter"],
    ["x".repeat(129), "longer"],
    ["aaaaaaaaaaaa", "repeats"],
    ["password123", "common"],
    ["Password2024!", "common"],
    ["QWERTYUIOP", "common"],
    ["1234567890", "common"],
    ["ada.lovelace", "e-mail"],
    ["ada.lovelace@example.com", "e-mail"],
  ])("%s is refused", (password, reason) => {
    expect(passwordProblem(password, "ada.lovelace@example.com")).toContain(reason);
  });

  test.each(["correct horse battery", "tr0ub4dor&3", "пароль-из-слов", "🐎🔋📎🐎🔋📎🍎🍏", "a".repeat(64) + "bcd"])(
    "%s is accepted: length counts, composition does not",
    (password) => {
      expect(passwordProblem(password, "ada@example.com")).toBeUndefined();
    },
  );

  test("are kept as Argon2id with OWASP's parameters and a salt each", async () => {
    const [one, two] = await Promise.all([
      hashPassword("correct horse battery"),
      hashPassword("correct horse battery"),
    ]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(one).not.toBe(two);
    expect(await checkPassword("correct horse battery", one)).toBe(true);
    expect(await checkPassword("correct horse batterz", one)).toBe(false);
  });

  test("typed with another composition of the same characters are the same", async () => {
    expect(await checkPassword("re\u0301sume\u0301 of words", await hashPassword("r\u00e9sum\u00e9 of words"))).toBe(
      true,
    );
  });

  // An attacker who can time answers learns which e-mails are registered, unless both cost the same work.
  test("cost the same work when there is no account: one verification with the same parameters", async () => {
    const stored = await hashPassword("correct horse battery");
    const verified: string[] = [];
    verify.mockImplementation((hash, ...rest) => {
      verified.push(String(hash));
      return library.verify(hash, ...rest);
    });
    expect(await checkPassword("wrong password", stored)).toBe(false);
    expect(await checkPassword("wrong password", undefined)).toBe(false);
    const parameters = verified.map((hash) => hash.split("$").slice(0, 4).join("$"));
    expect(parameters).toEqual([parameters[0], parameters[0]]);
    const lengths = verified.map((hash) =>
      hash
        .split("$")
        .slice(4)
        .map((part) => part.length),
    );
    expect(lengths).toEqual([lengths[0], lengths[0]]);
    expect(verified[0]).toBe(stored);
  });
});

describe("envelopes", () => {
  const key = deriveKey("a master key of at least 32 characters", "test");

  test("open with their key and context, and differ each time", () => {
    const one = seal(key, Buffer.from("secret"), "row:1");
    expect(open(key, one, "row:1").toString()).toBe("secret");
    expect(seal(key, Buffer.from("secret"), "row:1").equals(one)).toBe(false);
    expect(one.includes("secret")).toBe(false);
  });

  test("do not open with another key, for another row, or when a bit was changed", () => {
    const sealed = seal(key, Buffer.from("secret"), "row:1");
    expect(() => open(deriveKey("another master key, 32 characters long", "test"), sealed, "row:1")).toThrow(
      EnvelopeError,
    );
    expect(() => open(deriveKey("a master key of at least 32 characters", "other"), sealed, "row:1")).toThrow(
      EnvelopeError,
    );
    expect(() => open(key, sealed, "row:2")).toThrow(EnvelopeError);
    for (let byte = 0; byte < sealed.length; byte++) {
      const changed = Buffer.from(sealed);
      changed[byte] = (changed[byte] ?? 0) ^ 1;
      expect(() => open(key, changed, "row:1")).toThrow(EnvelopeError);
    }
    expect(() => open(key, sealed.subarray(0, 20), "row:1")).toThrow(EnvelopeError);
  });

  test("are not made from a master key that is missing or short, and the error says what to do", () => {
    expect(() => deriveKey("", "test")).toThrow(/MasterKey is not set.*openssl/);
    expect(() => deriveKey("short", "test")).toThrow(/shorter than 32/);
  });
});

describe("refresh tokens", () => {
  const now = new Date("2026-01-01T00:00:00Z");
  const open = { usedAt: null, sessionExpiresAt: new Date("2026-02-01T00:00:00Z"), sessionRevokedAt: null };
  const at = (ms: number): Date => new Date(now.getTime() + ms);

  test("have 256 random bits and are found by their digest", () => {
    const { token, hash } = createRefreshToken();
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(hashRefreshToken(token).equals(hash)).toBe(true);
    expect(createRefreshToken().token).not.toBe(token);
  });

  test.each([
    ["a fresh one is rotated", open, "rotate"],
    ["one of an expired session is refused", { ...open, sessionExpiresAt: now }, "ended"],
    ["one of an ended session is refused", { ...open, sessionRevokedAt: at(-1) }, "ended"],
    ["one used a moment ago is two requests crossing", { ...open, usedAt: at(-REUSE_GRACE_MS) }, "crossed"],
    ["one used longer ago is theft", { ...open, usedAt: at(-REUSE_GRACE_MS - 1) }, "reused"],
    [
      "a used one of an ended session does not end it again",
      { ...open, usedAt: at(-60_000), sessionRevokedAt: at(-1) },
      "ended",
    ],
  ])("%s", (_, presented, verdict) => {
    expect(judgeRefresh(presented, now)).toBe(verdict);
  });
});
