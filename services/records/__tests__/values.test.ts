// What values of filters and cursors may be, and where texts that begin alike end; no database is asked.
import { describe, expect, test } from "vitest";
import { parseInput } from "../../../security/input";
import { newCategory } from "../input";
import { prefixEnd } from "../../../db/listing/prefix";
import { readIfMatch } from "../precondition";
import { readValue } from "../../../db/listing/values";

describe("a value", () => {
  test.each([
    ["text", "", ""],
    ["text", "\u{10ffff}", "\u{10ffff}"],
    ["text", "\ud800", undefined],
    ["text", "a\u0000", undefined],
    ["text", "x".repeat(301), undefined],
    ["integer", "-7", "-7"],
    ["integer", "9007199254740991", "9007199254740991"],
    ["integer", "9007199254740993", undefined],
    ["integer", "-0", undefined],
    ["integer", "", undefined],
    ["integer", " 1", undefined],
    ["integer", "0x1", undefined],
    ["moment", "2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["moment", "2026-01-31T12:00:00.1234+02:00", "2026-01-31T10:00:00.123Z"],
    ["moment", "2026-01-31 12:00", undefined],
    ["moment", "31 January 2026", undefined],
    ["moment", "2026-02-30T00:00:00Z", undefined],
    ["moment", "0001-01-01T23:59:59.999Z", undefined],
    ["moment", "0001-01-02", "0001-01-02T00:00:00.000Z"],
    ["moment", "9000-01-01", "9000-01-01T00:00:00.000Z"],
    ["moment", "9000-01-01T00:00:00.001Z", undefined],
    ["id", "01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-000000000000"],
    ["id", "01890000", undefined],
  ] as const)("of %s %j is read as %j", (type, text, read) => {
    expect(readValue(type, text)).toBe(read);
  });

  test("of a record is no text with half a character", () => {
    expect(() => parseInput(newCategory, { name: "a\udc00" })).toThrow("the request is not valid");
    expect(parseInput(newCategory, { name: "a\u{1f375}" })).toEqual({ name: "a\u{1f375}", parentId: null });
  });
});

test.each([
  ["a", "b"],
  ["a\u{10ffff}", "b"],
  ["\u{10ffff}", undefined],
  ["\ud7ff", "\ue000"],
  ["\uffff", "\u{10000}"],
  ["", undefined],
])("texts that begin with %j end before %j", (prefix, end) => {
  expect(prefixEnd(prefix)).toBe(end);
  if (end !== undefined) expect(Buffer.compare(Buffer.from(`${prefix}\u{10ffff}`), Buffer.from(end))).toBe(-1);
});

test.each([
  [undefined, null],
  ["*", null],
  [' "1" , "22"', [1, 22]],
  ['W/"1"', []],
  ['"0"', []],
  ['"2147483648"', [2_147_483_648]],
  ['"9007199254740992"', []],
] as const)("If-Match of %j is of the versions %j", (header, versions) => {
  expect(readIfMatch(header)).toEqual({ versions });
});
