// What is kept for `groundwork trace` stays within its bound, whoever writes, and is found again by either spelling.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { linesOf, spellingsOf } from "../../commands/trace";
import { keptFiles, KeptLines } from "../kept-lines";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gw-kept-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const line = (n: number): string => `${JSON.stringify({ n, filler: "x".repeat(1_000) })}\n`;

test("two writers fill two files and no more, and the newest lines are there", () => {
  const [newer = "", older = ""] = keptFiles(folder);
  const writers = [new KeptLines(folder, 200_000), new KeptLines(folder, 200_000)];
  const count = 1_500;
  for (let n = 0; n < count; n++) {
    const writer = writers[n % 2]!;
    writer.append(line(n));
    writer.flush();
  }
  for (const file of [newer, older]) expect(statSync(file).size).toBeLessThan(200_000 + 2 * 64 * 1024 + 2_000);
  const kept = [older, newer].flatMap((file) => readFileSync(file, "utf8").trim().split("\n"));
  const numbers = kept.map((text) => (JSON.parse(text) as { n: number }).n).sort((a, b) => a - b);
  expect(numbers.at(-1)).toBe(count - 1);
  expect(numbers.length).toBeLessThan(count / 2);
});

test("a writer whose folder is gone neither throws nor holds what it could not write", () => {
  const writer = new KeptLines(folder);
  rmSync(join(folder, "log"), { recursive: true });
  writer.append("lost\n");
  expect(() => writer.flush()).not.toThrow();
});

test("an id leads to its lines in either spelling, cut-off lines aside", () => {
  const hex = "4bf92f3577b34da6a3ce929d0e0e4736";
  const id = spellingsOf(hex);
  expect(id && spellingsOf(id.base32)).toEqual(id);
  expect(spellingsOf("not an id")).toBeUndefined();
  const writer = new KeptLines(folder);
  writer.append(
    `{"time":"2","requestId":"${id?.base32}"}\n{"time":"1","traceId":"${hex}"}\n{"time":"3"}\n{"traceId":"${hex}`,
  );
  writer.flush();
  expect(linesOf(keptFiles(folder), id!).map(({ time }) => time)).toEqual(["1", "2"]);
});
