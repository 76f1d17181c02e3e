// The parser against what Encore's own parser 1.58.6 did with the same 311 apps.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { parseApp } from "..";
import { checkJson } from "../check";
import { formatParseError, officialLine } from "../errors";
import { Scratch } from "./case-app";
import { otherWording } from "./parity-exceptions";

const kit = join(dirname(fileURLToPath(import.meta.url)), "../../__tests__/parity/parser");

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const cases = (side: string): string[] => readdirSync(join(kit, side)).sort();
const placeOf = (line: string): string => /^[^ ]+:\d+:\d+: /.exec(line)?.[0] ?? "";

describe("apps that Encore accepts", () => {
  it.each(cases("accept"))("reads the same facts from %s", (name) => {
    const folder = join(kit, "accept", name);
    const model = JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as unknown;
    expect(checkJson(scratch.fromCase(folder))).toEqual({ ok: true, model });
  });
});

describe("apps that Encore refuses", () => {
  it.each(cases("reject"))("refuses %s at the same place", (name) => {
    const folder = join(kit, "reject", name);
    const expected = readFileSync(join(folder, "expected.txt"), "utf8").trim().split("\n");
    const result = parseApp(scratch.fromCase(folder));
    const found = result.ok ? [] : result.errors;
    const errors = found.map(officialLine);
    // Whatever is refused, a line below says what to do.
    for (const error of found) expect(formatParseError(error)).toMatch(/\n {2}\S/);
    if (name in otherWording) expect(errors.map(placeOf)).toEqual(expected.map(placeOf));
    else expect(errors).toEqual(expected);
  });

  it("has few exceptions, each with its reason", () => {
    expect(Object.keys(otherWording).length / (cases("accept").length + cases("reject").length)).toBeLessThan(0.02);
    for (const name of Object.keys(otherWording)) expect(cases("reject")).toContain(name);
  });
});
