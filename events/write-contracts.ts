// Called by `npm run gen`: writes the contract of each event in the catalogue and
// refuses, writing nothing, when a committed one would break.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalog } from "./catalog";
import { breakingChanges, contractFileName, contractOf, type JsonSchema } from "./contracts";

const folder = join("events", "contracts");

const contracts = [...catalog.values()].map((definition) => ({
  file: join(folder, contractFileName(definition)),
  schema: contractOf(definition),
}));
const broken = contracts.flatMap(({ file, schema }) => {
  if (!existsSync(file)) return [];
  const changes = breakingChanges(JSON.parse(readFileSync(file, "utf8")) as JsonSchema, schema);
  return changes.map((change) => `${file}: ${change}`);
});

if (broken.length > 0) {
  process.stderr.write(`${broken.join("\n")}\nGive the event a new version instead.\n`);
  process.exitCode = 1;
} else {
  mkdirSync(folder, { recursive: true });
  for (const { file, schema } of contracts) writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
}
