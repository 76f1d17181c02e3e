import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { createKeyText, hashKeyText, isKeyText } from "../key-text";

describe("the text of a key", () => {
  test("has a prefix, 256 random bits and a checksum that tells it from every other text", () => {
    const { text, prefix } = createKeyText();
    expect(text).toMatch(/^gw_[0-9A-Za-z]{49}$/);
    expect(text.startsWith(prefix)).toBe(true);
    expect(prefix).toHaveLength(9);
    expect(isKeyText(text)).toBe(true);
    expect(createKeyText().text).not.toBe(text);
    for (const random of [Buffer.alloc(32), Buffer.alloc(32, 255)])
      expect(isKeyText(createKeyText(random).text)).toBe(true);
    for (let at = 0; at < text.length; at++)
      expect(isKeyText(text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1))).toBe(false);
    for (const wrong of ["", "gw_", text.slice(1), `${text}0`, "x".repeat(100_000)])
      expect(isKeyText(wrong)).toBe(false);
  });

  // Scanners of leaked secrets, and keys made by earlier versions, depend on it to the letter.
  test("is the same for the same bits, in every version", () => {
    expect(createKeyText(Buffer.alloc(32)).text).toBe(`gw_${"0".repeat(43)}2u7Cll`);
    expect(createKeyText(Buffer.alloc(32, 255)).text).toBe("gw_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp10yNUqX");
    expect(createKeyText(Buffer.from("00".repeat(31) + "3f", "hex")).text.slice(0, 46)).toBe(`gw_${"0".repeat(41)}11`);
  });

  test("is not any text with the right checksum: length and prefix count too", () => {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const withChecksum = (body: string): string => {
      let check = "";
      for (let rest = crc32(body); check.length < 6; rest = Math.floor(rest / 62))
        check = digits.charAt(rest % 62) + check;
      return body + check;
    };
    expect(isKeyText(withChecksum(`gw_${"0".repeat(43)}`))).toBe(true);
    for (const body of [`gw_${"0".repeat(44)}`, `gw_${"0".repeat(42)}`, `gx_${"0".repeat(43)}`, ""])
      expect(isKeyText(withChecksum(body)), body).toBe(false);
  });

  test("is stored as its SHA-256, whole", () => {
    const { text, hash } = createKeyText();
    expect(hash).toEqual(createHash("sha256").update(text).digest());
    expect(hashKeyText(text)).toEqual(hash);
    expect(hashKeyText(text.slice(0, -1))).not.toEqual(hash);
  });
});
