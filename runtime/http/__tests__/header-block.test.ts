// Lines that leave as one text with the body must be exactly what node would have written, and nothing may slip in.
import { expect, test } from "vitest";
import { headerBlock } from "../header-block";

test("plain lines become text, whether or not they were seen before", () => {
  for (let i = 0; i < 2; i++)
    expect(headerBlock(["x-a", "1", "X-A", "2", "x-a", "1", "set-cookie", "a=b", "set-cookie", "c=d"])).toBe(
      "x-a: 1\r\nX-A: 2\r\nx-a: 1\r\nset-cookie: a=b\r\nset-cookie: c=d\r\n",
    );
  expect(headerBlock([])).toBe("");
});

test.each([
  ["a line break in a value", ["x-a", "1\r\nx-b: 2"]],
  ["a line break in a name", ["x-a: 1\r\nx-b", "2"]],
  ["an empty name", ["", "1"]],
  ["text beyond ASCII", ["x-a", "zażółć"]],
  ["a control character", ["x-a", "\u0000"]],
  ["framing", ["Content-Length", "3"]],
  ["a connection option", ["connection", "close"]],
  ["a date", ["Date", "today"]],
])("%s is left to node", (_what, lines) => {
  expect(headerBlock(["x-ok", "1", ...lines])).toBeNull();
  expect(headerBlock(["x-ok", "1"])).toBe("x-ok: 1\r\n");
});

test("names without end do not stay in memory, and still become text", () => {
  for (let i = 0; i < 1000; i++) expect(headerBlock([`x-made-up-${i}`, "v"])).toBe(`x-made-up-${i}: v\r\n`);
});
