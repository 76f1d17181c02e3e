// The short way for auth data is only taken where the long one, through the JSON text, gives the same.
import { describe, expect, test } from "vitest";
import { encodeValue } from "../../schema";
import { JsonDecoderCompiler } from "../../schema/json-decoder";
import { JsonReader } from "../../schema/json-reader";
import type { ShapeField, Struct } from "../../schema/shape";
import { plainReader } from "../plain-auth-data";

const text = (name: string, more: Partial<ShapeField> = {}): ShapeField => ({
  name,
  optional: false,
  shape: { kind: "string" },
  ...more,
});
const struct: Struct = {
  kind: "struct",
  fields: [
    text("userID"),
    text("role", {
      shape: {
        kind: "ref",
        target: {
          kind: "union",
          of: [
            { kind: "literal", value: "admin" },
            { kind: "literal", value: "member" },
          ],
        },
      },
    }),
    text("org"),
    text("note", { optional: true }),
  ],
};
const long = new JsonDecoderCompiler(String).struct(struct);
const read = plainReader(struct);

test.each([
  { userID: "u", role: "admin", org: "o" },
  { role: "member", org: "", userID: '\u0000 " \u2028 ü' },
  { role: "member", org: "", userID: "u", note: "there" },
  Object.assign(Object.create({ org: "inherited" }), { userID: "u", role: "admin" }) as Record<string, unknown>,
])("%j is read as through its text", (payload) => {
  const sorted: Record<string, unknown> = {};
  const keys: string[] = [];
  for (const key in payload) keys.push(key);
  for (const key of keys.sort()) sorted[key] = payload[key];
  const plain = read?.(payload);
  expect(plain).toEqual(long(new JsonReader(encodeValue(sorted))));
  expect(Object.keys(plain ?? {})).toEqual(["note", "org", "role", "userID"].filter((name) => name in payload));
});

test.each([
  ["a field that is not declared", { userID: "u", role: "admin", org: "o", more: "x" }],
  ["a missing field", { userID: "u", role: "admin" }],
  ["a missing field beside one that may be", { userID: "u", role: "admin", note: "n" }],
  ["one that may be missing, and is undefined", { userID: "u", role: "admin", org: "o", note: undefined }],
  ["one that may be missing, and is null", { userID: "u", role: "admin", org: "o", note: null }],
  ["another field in its place", { userID: "u", role: "admin", oorg: "o" }],
  ["no text", { userID: "u", role: "admin", org: 1 }],
  ["a text that is none of the declared", { userID: "u", role: "owner", org: "o" }],
  ["half a character", { userID: "u\ud800", role: "admin", org: "o" }],
])("%s goes the long way", (_what, payload) => {
  expect(read?.(payload)).toBeNull();
});

describe("a type with anything but texts has no short way", () => {
  test.each([
    ["a number", [text("userID"), text("n", { shape: { kind: "number" } })]],
    ["an optional number", [text("userID"), text("n", { optional: true, shape: { kind: "number" } })]],
    [
      "a text or null",
      [text("userID"), text("n", { shape: { kind: "union", of: [{ kind: "string" }, { kind: "null" }] } })],
    ],
    [
      "a checked text",
      [text("userID"), text("n", { shape: { kind: "checked", inner: { kind: "string" }, check: () => undefined } })],
    ],
  ] as [string, ShapeField[]][])("%s", (_what, fields) => {
    expect(plainReader({ kind: "struct", fields })).toBeNull();
  });
});
