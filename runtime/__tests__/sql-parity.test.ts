// The recorded answers of the official runtime 1.58.6 for SQL, texts of errors included, held against this host:
// on the embedded database, and on a server when GROUNDWORK_TEST_POSTGRES_URL names one.
import { cpSync, readFileSync, rmSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type AppProcess, startApp } from "../http/__tests__/support/app-process";
import { hostPackageRoot } from "../host-files";
import { cloneDatabase, type ClonedDatabase, createTemplate } from "../infra";
import { parseApp } from "../parse";
import { embeddedExceptions, exceptions, informational, needSessions, serverExceptions } from "./sql-exceptions";

const kit = join(import.meta.dirname, "parity", "infra");
const onServer = Boolean(process.env.GROUNDWORK_TEST_POSTGRES_URL);
const differing: Record<string, string> = { ...exceptions, ...(onServer ? serverExceptions : embeddedExceptions) };

interface Case {
  id: string;
  request: { method: string; path: string; body?: unknown };
}

const lines = <T>(file: string): T[] =>
  readFileSync(join(kit, file), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
const cases = lines<Case>("cases.jsonl").filter(
  ({ id }) => id.startsWith("sql.") && !id.startsWith(informational) && (onServer || !needSessions.includes(id)),
);
const recorded = new Map(
  lines<{ id: string; status: number; body: unknown }>("answers.jsonl").map((answer) => [answer.id, answer]),
);

/** A copy: the kit's other test generates into its own. Below the repository, where the packages are found. */
const appDir = join(hostPackageRoot, ".groundwork", "test-apps", "sql-parity");
let app: AppProcess;
const clones: ClonedDatabase[] = [];

beforeAll(async () => {
  rmSync(appDir, { recursive: true, force: true });
  // Not what the kit's other test makes there meanwhile.
  const isOfTheKit = (path: string): boolean => basename(path) !== ".groundwork";
  cpSync(join(kit, "app"), appDir, { recursive: true, filter: isOfTheKit });
  const parsed = parseApp(appDir);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  const urls: [string, { url: string }][] = [];
  for (const database of parsed.model.databases) {
    const migrations =
      database.migrationsDir === undefined
        ? {}
        : { migrationsDir: relative(hostPackageRoot, join(appDir, database.migrationsDir)) };
    const clone = await cloneDatabase(
      await createTemplate({ ...database, ...migrations }, hostPackageRoot, process.env),
    );
    clones.push(clone);
    urls.push([database.name, { url: clone.url }]);
  }
  app = await startApp(appDir, { config: { databases: Object.fromEntries(urls) }, env: { GROUNDWORK_CRONS: "off" } });
});
afterAll(async () => {
  await app?.stop();
  await Promise.all(clones.map((clone) => clone.drop()));
});

function normaliseText(text: string): string {
  return text
    .replace(/(127\.0\.0\.1|localhost|\[::1\])(:|%3A)\d+/g, "HOST:PORT")
    .replace(/line: Some\(\s*\d+,\s*\)/g, "line: Some(N)")
    .replace(/tuple \(\d+,\d+\)/g, "tuple (N,N)")
    .replace(/^[0-9a-v]{20}$/, "MESSAGE_ID");
}

function normalise(value: unknown): unknown {
  if (typeof value === "string") return normaliseText(value);
  if (Array.isArray(value)) return value.map(normalise);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, field]) => [key, normalise(field)]),
  );
}

async function answer({ request: { method, path, body } }: Case): Promise<{ status: number; body: unknown }> {
  const sent =
    body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`http://127.0.0.1:${app.port}${path}`, { method, ...sent });
  return { status: response.status, body: normalise(await response.json()) };
}

// In the kit's order: later cases read what earlier ones wrote.
it.each(cases.map((one) => [one.id, one] as const))("%s", async (id, one) => {
  const { status, body } = recorded.get(id) ?? { status: 0, body: undefined };
  const got = await answer(one);
  const expected = { status, body: normalise(body) };
  if (differing[id] === undefined) expect(got).toEqual(expected);
  else expect(got, `${id} needs no exception any more`).not.toEqual(expected);
});
