// Which migrations of a database the parser finds, where the host that applies them goes by the same names.
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseApp } from "..";
import { outcomeOf, Scratch } from "./case-app";

const scratch = new Scratch();
afterAll(() => scratch.dispose());

const sources = (migrations: string): Record<string, string> => ({
  "svc/db.ts": `import { SQLDatabase } from "encore.dev/storage/sqldb";\nexport const db = new SQLDatabase("a", { migrations: ${migrations} });\n`,
  "svc/api.ts": `import { api } from "encore.dev/api";\nexport const ep = api({}, async (): Promise<void> => {});\n`,
});

test.each([`"./m"`, `{ path: "./m", source: "prisma" }`])("%s of two layouts are refused", (migrations) => {
  const mixed = { "svc/m/1_a.up.sql": "", "svc/m/99_z/migration.sql": "" };
  expect(outcomeOf(scratch.fromFiles({ ...sources(migrations), ...mixed }))).toMatch(
    /migrations of two layouts: 1_a\.up\.sql and 99_z\/migration\.sql$/,
  );
});

test("folders that are links are found", () => {
  const root = scratch.fromFiles({
    ...sources(`{ path: "./m", source: "prisma" }`),
    "svc/m/1_a/migration.sql": "",
    "elsewhere/migration.sql": "",
  });
  symlinkSync(join(root, "elsewhere"), join(root, "svc/m/2_b"));
  const parsed = parseApp(root);
  expect(parsed.ok && parsed.model.databases).toMatchObject([
    { migrations: [{ file: "1_a/migration.sql" }, { file: "2_b/migration.sql" }] },
  ]);
});
