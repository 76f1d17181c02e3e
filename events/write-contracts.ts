// Called by `npm run gen`: writes the contract of each event in the catalogue, removes those that may go, and what follows from
// them (docs/asyncapi.json, docs/events.html). Refuses, writing nothing, what the gate refuses.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asyncApiOf } from "./asyncapi";
import { catalog } from "./catalog";
import { cataloguePage } from "./catalogue-page";
import { refusals } from "./contract-gate/gate";
import { contractFileName, contractOf, type JsonSchema } from "./contracts";

const folder = join("events", "contracts");

mkdirSync(folder, { recursive: true });
const files = readdirSync(folder);
const read = (file: string): JsonSchema => JSON.parse(readFileSync(join(folder, file), "utf8")) as JsonSchema;
const committed = new Map(files.map(read).map((contract) => [String(contract.title), contract]));
const refused = refusals({ committed, catalog, today: new Date().toISOString().slice(0, 10) });

if (refused.length > 0) {
  process.stderr.write(`${refused.join("\n")}\n`);
  process.exitCode = 1;
} else {
  const definitions = [...catalog.values()];
  const kept = new Set(definitions.map(contractFileName));
  for (const file of files.filter((each) => !kept.has(each))) rmSync(join(folder, file));
  for (const definition of definitions)
    writeFileSync(join(folder, contractFileName(definition)), `${JSON.stringify(contractOf(definition), null, 2)}\n`);
  writeFileSync(join("docs", "asyncapi.json"), `${JSON.stringify(asyncApiOf(definitions), null, 2)}\n`);
  writeFileSync(join("docs", "events.html"), cataloguePage(definitions));
}
