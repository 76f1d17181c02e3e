// runtime/README.md is the map of the host: every file it names is there, and the differences it tells of are those
// that the parity suites allow, no more and no fewer.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exceptions as http } from "../http/__tests__/parity-exceptions";
import { otherWording } from "../parse/__tests__/parity-exceptions";
import { exceptions as infra } from "./infra-exceptions";
import { embeddedExceptions, exceptions as sql, needSessions, serverExceptions } from "./sql-exceptions";

const runtime = join(import.meta.dirname, "..");
const readme = readFileSync(join(runtime, "README.md"), "utf8");
const section = (title: string): string => readme.slice(readme.indexOf(`## ${title}`)).split(/^## /m)[1] ?? "";
const codes = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
const rows = (text: string): string[][] => [...text.matchAll(/^\|(.+)\|$/gm)].map(([, row = ""]) => row.split("|"));

test("every place and test that it names exists", () => {
  const cells = rows(section("Where each rule lives")).flatMap(([, lives = "", held = ""]) => codes(lives + held));
  expect(cells.length).toBeGreaterThan(80);
  expect(cells.filter((path) => !existsSync(join(runtime, path)))).toEqual([]);
});

test("its differences are the exceptions of the parity suites", () => {
  const told = rows(section("Deliberate differences")).flatMap(([cases = ""]) => codes(cases));
  const allowed = [http, infra, sql, serverExceptions, embeddedExceptions, otherWording].flatMap((list) =>
    Object.keys(list),
  );
  expect(told.sort()).toEqual([...allowed, ...needSessions].sort());
});
