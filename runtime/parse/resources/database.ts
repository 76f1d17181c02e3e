// `new SQLDatabase("name", { migrations })` and `SQLDatabase.named("name")` (L-35).
import { dirname, join } from "node:path";
import { either, fields, located, refuseAt, text, type Located } from "../source/literals";
import type { TypeScript } from "../typescript";
import { localPath } from "./endpoint-config";
import { readMigrations, type MigrationSource } from "./migrations";
import { eachNamedClass, eachNamedReference } from "./named-class";
import type { Pass, ResourceFinder } from "./pass";
import type { Migrations } from "./resource";

const SPECIFIER = "encore.dev/storage/sqldb";
const SOURCES: MigrationSource[] = ["prisma", "drizzle", "drizzle/v1"];

interface MigrationsConfig {
  path?: Located<string>;
  source?: string;
}

const asPath = (node: TypeScript.Expression): MigrationsConfig => ({ path: { value: localPath(node), node } });
const config = fields({ migrations: either(asPath, fields({ path: located(localPath), source: text }, ["path"])) });

function sourceOf(name: string | undefined, node: TypeScript.Node): MigrationSource {
  if (name === undefined) return "default";
  const source = SOURCES.find((candidate) => candidate === name);
  if (source) return source;
  throw refuseAt(node, `unexpected value for migration file source: ${name}`, `Known: ${SOURCES.join(", ")}.`);
}

function migrationsOf(given: MigrationsConfig | undefined, node: TypeScript.Node, pass: Pass): Migrations | undefined {
  if (!given?.path) return undefined;
  const source = sourceOf(given.source, node);
  return readMigrations(join(dirname(pass.module.path), given.path.value), source, given.path.node, pass.files);
}

export const databaseFinder: ResourceFinder = {
  specifier: SPECIFIER,
  find(pass) {
    eachNamedClass(pass, { specifier: SPECIFIER, classes: ["SQLDatabase"], config }, (found) => {
      const { node, name, doc } = found;
      const migrations = migrationsOf(found.config?.migrations, node, pass);
      pass.add({ kind: "database", node, module: pass.module, name, doc, migrations });
    });
    eachNamedReference(pass, SPECIFIER, "SQLDatabase", (name, node) => pass.addNamed("database", name, node));
  },
};
