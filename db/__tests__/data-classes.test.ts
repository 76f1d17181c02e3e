// docs/data-protection.md says of every table which class of data it holds (ASVS 5.0 14.1.1, 14.1.2): held to the database's
// own catalogue, and to what the rooms declare of people.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import "../../audit/store";
import "../../auth/store/export";
import "../../events/store/export";
import "../../idempotency/store";
import "../../queues/store/export";
import "../../flags/store";
import "../../sagas/store/export";
import "../../secrets/store";
import "../../services/ai/store/tenant";
import "../../services/assets/store/export";
import "../../services/notifications/store/export";
import "../../services/records/store/export";
import "../../services/webhooks/store/tenant";
import "../../vectors/store/export";
import { declaredExports } from "../tenant-export";
import { readTables } from "./catalogue";
import { ownerPool } from "./owner";

const page = readFileSync(join(import.meta.dirname, "../../docs/data-protection.md"), "utf8");
const classes = [...page.matchAll(/^\| `(\w+)` \| [^|]+ \| [^|]+ \| [^|]+ \| [^|]+ \| [^|]+ \|$/gm)].map(
  ([, name]) => name,
);
const tables = [...page.matchAll(/^\| `(\w+\.\w+)` \| (\w+) \|$/gm)].map(([, name = "", kind = ""]) => ({
  name,
  kind,
}));

test("every table has one of the classes of data that the page describes, and none is named that is not there", async () => {
  expect(classes).toEqual(["credential", "personal", "content", "fact"]);
  expect(tables.filter(({ kind }) => !classes.includes(kind))).toEqual([]);
  const client = await ownerPool().connect();
  const found = await readTables(client).finally(() => client.release());
  const ours = found.filter(({ kind, schema }) => kind !== "v" && schema !== "public").map(({ name }) => name);
  expect(tables.map(({ name }) => name).sort()).toEqual(ours.sort());
});

test("a table with columns that tell of people is not said to hold facts alone", () => {
  const { exported, missing } = declaredExports();
  expect(missing).toEqual([]);
  const personal = exported.filter((table) => (table.personal ?? []).length > 0).map(({ name }) => name);
  expect(personal.length).toBeGreaterThan(3);
  const facts = tables.filter(({ kind }) => kind === "fact").map(({ name }) => name);
  expect(personal.filter((name) => facts.includes(name))).toEqual([]);
});
