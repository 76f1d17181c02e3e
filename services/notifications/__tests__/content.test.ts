// What a notification may say, and where it may lead.
import { expect, test } from "vitest";
import { contentSchema } from "../content";

const isAllowed = (more: object): boolean =>
  contentSchema.safeParse({ title: "A title", body: "A text.", ...more }).success;

test.each([
  ["what stands before an @ and looks like a host", "https://app.example@evil.example/"],
  ["a password", "https://:secret@evil.example/"],
  ["a host that there is not", "https://["],
  ["no host", "https://"],
  ["a NUL", "/a\u0000b"],
  ["a NUL behind a host", "https://app.example/\u0000"],
  ["half a character", "/\ud83d"],
  ["text that is turned around", "https://app.example/\u202Egpj.exe"],
  ["what has no width", "/a\u200bb"],
  ["a space", "/a b"],
  ["another scheme", "javascript:alert(1)"],
  ["two slashes", "//evil.example"],
  ["a backslash", "/\\evil.example"],
])("a link with %s is none", (_, url) => {
  expect(isAllowed({ url })).toBe(false);
});

test.each(["/", "/devices?of=me#new", "https://app.example", "https://app.example:8443/a@b?c=d@e"])(
  "%s is a link",
  (url) => {
    expect(isAllowed({ url })).toBe(true);
  },
);

test("a title is read as it is written", () => {
  expect(isAllowed({ title: "invoice\u202Efdp.exe" })).toBe(false);
  expect(isAllowed({ title: "pay\u200bpal" })).toBe(false);
  expect(isAllowed({ title: "Ada 👩‍💻 نمی‌خواهم" })).toBe(true);
});
