// A list that is opened in a spreadsheet has the texts that were stored, and runs none of them. An attacker who may name a product must
// not reach, by a formula, into the machine of whoever exports products.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { csvLine } from "../csv";

/** The cells of a text of CSV (RFC 4180); undefined for an empty one without quotes. */
function cellsOf(csv: string): (string | undefined)[][] {
  const lines: (string | undefined)[][] = [];
  let cells: (string | undefined)[] = [];
  for (let at = 0; at < csv.length;) {
    let value: string | undefined;
    if (csv[at] === '"') {
      value = "";
      for (at++; csv[at] !== '"' || csv[at + 1] === '"'; at++) {
        if (csv[at] === '"') at++;
        value += csv[at]!;
      }
      at++;
    } else while (csv[at] !== "," && csv[at] !== "\r") value = (value ?? "") + csv[at++]!;
    cells.push(value);
    if (csv[at] === ",") at++;
    else if (csv.startsWith("\r\n", at)) {
      lines.push(cells);
      cells = [];
      at += 2;
    } else throw new Error(`neither a cell nor a line ends at ${at}`);
  }
  return lines;
}

const dangerous = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"];

describe("a line", () => {
  test("is read as what was written, whatever the texts", () => {
    const text = fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom('"', '""', ",", "a\r\nb", "'=1", ""));
    const shown = (value: string | number | undefined): string | undefined => {
      if (typeof value !== "string") return value?.toString();
      const inner = value.replaceAll(/(?<=[;\t\r\n])(?="*[=+\-@＝＋－＠])/g, "'");
      return dangerous.includes(value.slice(0, 1)) ? `'${inner}` : inner;
    };
    const line = fc.array(fc.oneof(text, fc.integer(), fc.constant(undefined)), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), (lines) => {
        expect(cellsOf(lines.map(csvLine).join(""))).toEqual(lines.map((values) => values.map(shown)));
      }),
    );
  });

  test.each(dangerous)("has a text that begins with %j as a text", (start) => {
    expect(csvLine([`${start}cmd|' /C calc'!A0`])).toBe(`"'${start}cmd|' /C calc'!A0"\r\n`);
  });

  test.each(dangerous.filter((start) => start.trim() !== ""))(
    "has no %j where a cell would begin for who ends cells at semicolons, tabs or lines",
    (start) => {
      for (const end of [";", "\t", "\n", "\r", "\r\n"]) {
        expect(csvLine([`a${end}${start}1`])).toBe(`"a${end}'${start}1"\r\n`);
        expect(csvLine([`a${end}"${start}1`])).toBe(`"a${end}'""${start}1"\r\n`);
        expect(csvLine([[{ a: `b${end}${start}1` }]])).not.toContain(`;${start}`);
      }
      expect(csvLine([`a ${start}1;b${start}`])).toBe(`"a ${start}1;b${start}"\r\n`);
    },
  );

  test("keeps numbers, and what has parts as JSON", () => {
    expect(csvLine([-5, null, "", true, [{ a: "x,y" }]])).toBe('-5,,"",true,"[{""a"":""x,y""}]"\r\n');
  });
});
