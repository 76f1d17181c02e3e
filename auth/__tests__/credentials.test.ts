import { afterAll, describe, expect, test, vi } from "vitest";
import { parseEmail } from "../../mail/email";
import { chosenName } from "../normalised-name";
import { deriveKey, masterKeysIn } from "../../security/derived-key";
import { EnvelopeError, masterKeyset, open, seal, sealedBy } from "../../security/envelope";
import { checkPassword, hashPassword, passwordProblem } from "../passwords";
import {
  createRefreshToken,
  createSalt,
  formatRefreshToken,
  hashSecret,
  judgeRefresh,
  parseRefreshToken,
  REUSE_GRACE_MS,
  successorOf,
  type RefreshToken,
  type SessionState,
} from "../refresh-token";

// The real library, watched: what it is asked to verify tells what a check costs.
const { library, verify } = await vi.hoisted(async () => {
  const real = await import("@node-rs/argon2");
  return { library: real, verify: vi.fn(real.verify) };
});
vi.mock("@node-rs/argon2", () => ({ ...library, verify }));
// What is said of Argon2 here is said of the parameters that an app has.
vi.hoisted(() => vi.stubEnv("PASSWORD_HASH_COST", "owasp"));
afterAll(() => vi.unstubAllEnvs());

// Putting combining marks in order takes the square of their number: 40,000 of them held the process up for a second and a half.
test("what is too long to be an address, a password or a name is not normalised", async () => {
  const marks = "\u0315".repeat(40_000) + "\u0316".repeat(40_000);
  const normalise = vi.spyOn(String.prototype, "normalize");
  expect(parseEmail(`a${marks}@example.com`)).toBeUndefined();
  expect(parseEmail(`a@b${marks}.example`)).toBeUndefined();
  // Each of these letters becomes eighteen.
  expect(parseEmail(`a@b${"\ufdfa".repeat(1_000)}.example`)).toBeUndefined();
  expect(await checkPassword(`a${marks}`, await hashPassword("a passphrase of many words"))).toBe(false);
  expect(passwordProblem(`a${marks}`, "ada@example.com")).toContain("longer");
  expect(chosenName.safeParse(`a${marks}`).success).toBe(false);
  expect(Math.max(...normalise.mock.contexts.map((text) => String(text).length))).toBeLessThan(2_000);
  normalise.mockRestore();
  for (const broken of ["a\nb", "a\u2028b", "a\u0000"]) expect(chosenName.safeParse(broken).success).toBe(false);
  expect(chosenName.parse(`${"a\u0301".repeat(100)} `)).toBe("\u00e1".repeat(100));
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

  test.each([
    "correct horse battery",
    "tr0ub4dor&3",
    "пароль-из-слов",
    "🐎🔋📎🐎🔋📎🍎🍏",
    "a".repeat(64) + "bcd",
    "abcd".repeat(32),
  ])("%s is accepted: length counts, composition does not", (password) => {
    expect(passwordProblem(password, "ada@example.com")).toBeUndefined();
  });

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

  test("fit nobody when there is no account, not even the one that the comparison was made with", async () => {
    verify.mockImplementationOnce(() => Promise.resolve(true));
    expect(await checkPassword("whatever it is", undefined)).toBe(false);
  });
});

describe("envelopes", () => {
  const [first, second] = ["0123456789".repeat(4), "abcdefghij".repeat(4)] as const;
  const keyset = masterKeyset(first, "test");

  test("open with their key and context, and differ each time", () => {
    const one = seal(keyset, Buffer.from("secret"), "row:1");
    expect(open(keyset, one, "row:1").toString()).toBe("secret");
    expect(seal(keyset, Buffer.from("secret"), "row:1").equals(one)).toBe(false);
    expect(one.includes("secret")).toBe(false);
    expect(open(keyset, seal(keyset, Buffer.alloc(0), ""), "")).toHaveLength(0);
  });

  test("do not open with another key, for another row, or when a bit was changed", () => {
    const sealed = seal(keyset, Buffer.from("secret"), "row:1");
    expect(() => open(masterKeyset(second, "test"), sealed, "row:1")).toThrow(/sealed with the key [0-9a-f]{8}/);
    expect(() => open(masterKeyset(first, "other"), sealed, "row:1")).toThrow(EnvelopeError);
    expect(() => open(keyset, sealed, "row:2")).toThrow(EnvelopeError);
    for (let byte = 0; byte < sealed.length; byte++) {
      const changed = Buffer.from(sealed);
      changed[byte] = (changed[byte] ?? 0) ^ 1;
      expect(() => open(keyset, changed, "row:1")).toThrow(EnvelopeError);
    }
    expect(() => open(keyset, sealed.subarray(0, 20), "row:1")).toThrow(EnvelopeError);
  });

  test("name their key, and outlive its replacement while it stays in the list", () => {
    const before = seal(keyset, Buffer.from("secret"), "row:1");
    const both = masterKeyset(`${second}\n${first}\n`, "test");
    expect(open(both, before, "row:1").toString()).toBe("secret");
    const after = seal(both, Buffer.from("secret"), "row:1");
    expect([sealedBy(before), sealedBy(after)]).toEqual([both[1]?.id, both[0].id]);
    expect(() => open(keyset, after, "row:1")).toThrow(EnvelopeError);
  });

  test("of nothing open, and what is too short to be one is told from what a wrong key opens", () => {
    const empty = seal(keyset, Buffer.alloc(0), "row:1");
    expect(open(keyset, empty, "row:1")).toEqual(Buffer.alloc(0));
    for (const length of [0, 1, 5, 17, empty.length - 1])
      expect(() => open(keyset, empty.subarray(0, length), "row:1")).toThrow("not an envelope of a known version");
    expect(() => open(keyset, empty, "row:2")).toThrow("made for something else, or changed");
  });

  test("are not made from a master key that is missing or short, and the error says what to do", () => {
    expect(() => deriveKey("", "test")).toThrow(/MasterKey is not set.*openssl/);
    expect(() => deriveKey("short", "test")).toThrow(/shorter than 32/);
    for (const text of ["", " \n, "]) expect(() => masterKeysIn(text)).toThrow(/MasterKey is not set.*openssl/);
    expect(() => masterKeysIn(`${first},short`)).toThrow(/shorter than 32 characters \(several/);
    expect(masterKeysIn(`${second}, ${first}\n${second}`)).toEqual([second, first]);
    // Whoever reads the ciphertext would know the key.
    const sealed = `vault:v1:${"a".repeat(40)}`;
    for (const text of [sealed, `"${sealed}"`, `${first},${sealed}`])
      expect(() => masterKeysIn(text)).toThrow(/ciphertext that no transit engine has opened/);
    const many = Array.from({ length: 11 }, (_, n) => `${first}${n}`).join(" ");
    expect(() => masterKeysIn(many)).toThrow(/more than 10 keys/);
  });
});

describe("refresh tokens", () => {
  const first = createRefreshToken("0193a1c0-0000-7000-8000-0000000000aa");
  const salts = Array.from({ length: 4 }, createSalt);
  /** The family's tokens: the first and its successors. */
  const tokens = salts.reduce<RefreshToken[]>((all, salt) => [...all, successorOf(all.at(-1) ?? first, salt)], [first]);
  const token = (generation: number): RefreshToken => tokens[generation] ?? first;
  const secretless = (generation: number): RefreshToken => ({ ...token(generation), secret: Buffer.alloc(32) });
  /** The session at this generation, its last rotations so long ago. */
  const at = (generation: number, rotationAgesMs: number[], isEnded = false): SessionState => ({
    isEnded,
    generation,
    secretHash: hashSecret(token(generation).secret),
    successorSalt: generation === 0 ? null : (salts[generation - 1] ?? null),
    rotationAgesMs,
  });

  test("have 256 random bits, and read back as they were written", () => {
    expect(first.secret).toHaveLength(32);
    expect(createRefreshToken(first.sessionId).secret.equals(first.secret)).toBe(false);
    for (const one of tokens) expect(parseRefreshToken(formatRefreshToken(one))).toEqual(one);
  });

  test.each(["", "x", "a".repeat(90), "a".repeat(92), `${"a".repeat(90)}+`, `${"a".repeat(90)} `, "a".repeat(100_000)])(
    "are not read from other texts (%#)",
    (text) => {
      expect(parseRefreshToken(text)).toBeUndefined();
    },
  );

  test("lead to one successor each, which needs both the token and the salt", () => {
    expect(successorOf(first, salts[0] ?? Buffer.alloc(0))).toEqual(token(1));
    expect(successorOf(first, createSalt()).secret.equals(token(1).secret)).toBe(false);
    expect(successorOf(secretless(0), salts[0] ?? Buffer.alloc(0)).secret.equals(token(1).secret)).toBe(false);
  });

  const long = REUSE_GRACE_MS + 1;
  test.each<[string, SessionState, RefreshToken, string]>([
    ["the present one is rotated", at(2, [long, long]), token(2), "rotate"],
    ["the first one is rotated", at(0, []), token(0), "rotate"],
    ["any of an ended session is refused", at(2, [5, 10], true), token(2), "ended"],
    ["a used one of an ended session does not end it again", at(2, [long, long], true), token(1), "ended"],
    ["the one before is answered again, to the end of the grace", at(2, [REUSE_GRACE_MS, long]), token(1), "repeat"],
    ["the one before is theft after the grace", at(2, [long, long]), token(1), "replayed"],
    ["an older one within its grace is a request overtaken by others", at(3, [10, 20, long]), token(1), "superseded"],
    [
      "an older one after its grace is theft, however fresh the last rotation",
      at(3, [10, long, long]),
      token(1),
      "replayed",
    ],
    ["one older than what is remembered is theft", at(3, [10, 20]), token(0), "replayed"],
    ["one of a generation to come is refused (the database went back)", at(1, [10]), token(3), "ended"],
    ["the present generation with another secret is a forgery", at(2, [long, long]), secretless(2), "replayed"],
    ["the generation before with another secret is a forgery", at(2, [10, long]), secretless(1), "replayed"],
    [
      "one before without a salt to answer it by gets nothing",
      { ...at(1, [10]), successorSalt: null },
      token(0),
      "superseded",
    ],
    ["a clock of the database that went back is within the grace", at(1, [-5_000]), token(0), "repeat"],
  ])("%s", (_, session, presented, kind) => {
    expect(judgeRefresh(session, presented).kind).toBe(kind);
  });

  test("that come again are answered with the present one", () => {
    expect(judgeRefresh(at(2, [10, long]), token(1))).toEqual({ kind: "repeat", successor: token(2) });
  });
});
