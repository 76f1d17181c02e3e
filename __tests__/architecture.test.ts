// Holds the house to its rules, and each rule to its probe: a small tree that breaks exactly this rule at
// exactly these places. A rule that catches nothing would be worse than none.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadProject, type Violation } from "../scripts/architecture/project";
import { parseMermaid } from "../scripts/architecture/room-graph";
import { checkProject, formatViolation, rules } from "../scripts/architecture/rules";
import { looksLikeSql } from "../scripts/architecture/sql";

const root = join(import.meta.dirname, "..");
const probes = join(import.meta.dirname, "__arch_probes__");

/** What each probe tree must be caught at: `file:line`, sorted. */
const expected: Record<string, string[]> = {
  layers: [
    "config/reads-host.ts:2",
    "db/upward-import.ts:2",
    "db/uses-testing.ts:2",
    "lobby/no-layer.ts:1",
    "runtime/reads-app.ts:2",
    "telemetry/library-under-guard.ts:2",
  ],
  cycles: ["queues/job.ts:1", "runtime/http:1"],
  "service-borders": ["vectors/reaches-in.ts:2", "vectors/reaches-store.ts:2"],
  "sql-place": ["vectors/search.ts:3"],
  "sql-values": [
    "vectors/store.ts:10",
    "vectors/store.ts:11",
    "vectors/store.ts:12",
    "vectors/store.ts:14",
    "vectors/store.ts:18",
    "vectors/store.ts:19",
    "vectors/store.ts:21",
    ...[12, 14, 15, 17, 19, 22, 23, 24, 25, 27].map((line) => `vectors/store/put-together.ts:${line}`),
  ],
  "table-owner": ["migrations/1_create_account.up.sql:1", "vectors/store.ts:2"],
  "migration-order": ["migrations/2_add_name.sql:1", "migrations/3_add_two.up.sql:1"],
  environment: ["auth/issuer.ts:2", "auth/issuer.ts:4", "auth/issuer.ts:6"],
  "deprecated-events": ["auth/invoices.ts:3"],
  "endpoint-tags": [
    "auth/api.ts:5",
    "auth/api.ts:6",
    "auth/api.ts:7",
    "auth/misspelled.ts:10",
    "auth/misspelled.ts:12",
    "auth/misspelled.ts:5",
    "auth/misspelled.ts:6",
    "auth/misspelled.ts:8",
    "auth/misspelled.ts:9",
    "security/endpoint-tags.json:1",
    "security/permissions.ts:1",
    "security/permissions.ts:1",
  ],
  "guard-mounted": [
    "services/bare/encore.service.ts:2",
    "services/behind/encore.service.ts:4",
    "services/configured/encore.service.ts:4",
    "services/empty/encore.service.ts:2",
    "services/first-only/encore.service.ts:3",
    "services/impostor/encore.service.ts:3",
    "services/misnamed/encore.service.ts:3",
    "services/namespace/encore.service.ts:1",
    "services/shadowed/encore.service.ts:3",
    "services/shorthand/encore.service.ts:3",
    "services/spread-config/encore.service.ts:4",
    "services/wrapped/encore.service.ts:3",
  ],
  "owner-checks": ["services/notes/notes.ts:10", "services/notes/notes.ts:8", "services/notes/notes.ts:9"],
  readmes: ["auth/README.md:1", "db/README.md:1", "vectors/README.md:1"],
  "file-names": ["auth/tokenSigner.ts:1", "auth/utils.ts:1"],
  documents: ["docs/README.md:3", "docs/README.md:4"],
  suppressions: ["auth/silent.ts:2", "auth/silent.ts:4"],
  map: Array<string>(6).fill("README.md:1"),
};

const place = ({ file, line }: Violation): string => `${file}:${line}`;

describe("the house", () => {
  const project = loadProject(root);

  test.each(rules.map((rule) => [rule.name, rule.promise, rule] as const))("%s: %s", (_name, _promise, rule) => {
    expect(rule.check(project).map(formatViolation)).toEqual([]);
  });

  test("the README carries a map", () => {
    expect(parseMermaid(project.read("README.md") ?? "")?.rooms.length).toBeGreaterThan(5);
  });
});

describe("the rules catch what they promise to catch", () => {
  test("every rule has a probe and every probe a rule", () => {
    const names = rules.map((rule) => rule.name).sort();
    expect(readdirSync(probes).sort()).toEqual(names);
    expect(Object.keys(expected).sort()).toEqual(names);
  });

  test.each(Object.entries(expected))("the probe of %s is caught there and nowhere else", (name, places) => {
    const found = checkProject(loadProject(join(probes, name)));
    expect(new Set(found.map(({ rule }) => rule))).toEqual(new Set([name]));
    expect(found.map(place).sort()).toEqual(places);
  });

  test("a migration with a lower number than one committed before is caught, committed or not", () => {
    const folder = mkdtempSync(join(tmpdir(), "gw-arch-"));
    const git = (...args: string[]): string =>
      execFileSync(
        "git",
        ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false", ...args],
        {
          cwd: folder,
          encoding: "utf8",
        },
      );
    const add = (...names: string[]): void => {
      for (const name of names) writeFileSync(join(folder, "migrations", name), "select 1;");
      git("add", ".");
    };
    try {
      mkdirSync(join(folder, "migrations"));
      git("init", "--quiet");
      add("1_a.up.sql", "20_b.up.sql", "3_c.up.sql");
      git("commit", "--quiet", "-m", "one");
      add("31_d.up.sql");
      git("commit", "--quiet", "-m", "two");
      add("22_e.up.sql");
      git("commit", "--quiet", "-m", "three");
      writeFileSync(join(folder, "migrations/30_f.up.sql"), "select 1;");
      const found = rules.find(({ name }) => name === "migration-order")?.check(loadProject(folder)) ?? [];
      expect(found.map(({ file }) => file)).toEqual(["migrations/22_e.up.sql", "migrations/30_f.up.sql"]);
      expect(found[0]?.message).toMatch(/came after number 31 .*next free number/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a migration is as old as its merge, whenever it was committed on its branch", () => {
    const folder = mkdtempSync(join(tmpdir(), "gw-arch-"));
    const at = (day: number, ...args: string[]): void => {
      const date = `2026-01-0${day}T00:00:00Z`;
      execFileSync(
        "git",
        [
          "-c",
          "user.name=t",
          "-c",
          "user.email=t@localhost",
          "-c",
          "commit.gpgsign=false",
          "-c",
          "init.defaultBranch=main",
          ...args,
        ],
        { cwd: folder, encoding: "utf8", env: { ...process.env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date } },
      );
    };
    const commit = (day: number, name: string): void => {
      writeFileSync(join(folder, "migrations", name), "select 1;");
      at(day, "add", ".");
      at(day, "commit", "--quiet", "-m", name);
    };
    try {
      mkdirSync(join(folder, "migrations"));
      at(1, "init", "--quiet");
      commit(1, "45_a.up.sql");
      at(1, "checkout", "--quiet", "-b", "branch");
      commit(2, "46_b.up.sql");
      at(2, "checkout", "--quiet", "main");
      commit(3, "47_c.up.sql");
      at(4, "merge", "--quiet", "--no-ff", "-m", "merge", "branch");
      const found = rules.find(({ name }) => name === "migration-order")?.check(loadProject(folder)) ?? [];
      expect(found.map(({ file }) => file)).toEqual(["migrations/46_b.up.sql"]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("prose is not taken for SQL, and SQL in either case is", () => {
    const prose = [
      "Select a file from the list",
      "update your password and set it again",
      "set it to 5 seconds",
      "delete from basket",
      "with care (always)",
    ];
    const sql = [
      "SELECT 1",
      "select id from auth.account",
      "with due as (select 1)",
      "UPDATE auth.account SET name = $1",
      "set local role groundwork_app",
    ];
    expect(prose.filter(looksLikeSql)).toEqual(["delete from basket"]);
    expect(sql.filter(looksLikeSql)).toEqual(sql);
  });
});
