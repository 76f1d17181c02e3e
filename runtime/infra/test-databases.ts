// Databases for tests: a migrated template is made once per set of migrations and kept, every test file gets
// a copy of its own. Embedded: the template is a data folder, a clone a copy of it: in a test file one that the process
// of its worker serves from memory (embedded-copies.ts), elsewhere a folder with its own process.
// Native (GROUNDWORK_TEST_POSTGRES_URL): the template is a database, a clone CREATE DATABASE … TEMPLATE.
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { DatabaseModel } from "../model";
import { type ClonedDatabase, requestCopy } from "./copy-client";
import type { Template } from "./copy-errands";
import { appName } from "./embedded/names";
import { cloneFolder, makeTemplateFolder } from "./embedded-templates";
import { cloneNative, makeNativeTemplate } from "./native-templates";
import { readMigrations } from "./migration-files";

export type { ClonedDatabase, Template };

/** Part of every template's name: raise it when the way templates are made changes. */
const templateFormat = "4";

function hashOf(database: DatabaseModel, dir: string | undefined): string {
  const hash = createHash("sha256").update(`${templateFormat}\n${database.name}\n`);
  if (dir)
    for (const migration of readMigrations(dir).migrations) hash.update(`${migration.file}\n${migration.sql()}\n`);
  return hash.digest("hex").slice(0, 16);
}

/**
 * Makes (or finds) the migrated template of one database.
 * @throws InfraError when a migration fails
 */
export async function createTemplate(
  database: DatabaseModel,
  appRoot: string,
  env: Record<string, string | undefined>,
): Promise<Template> {
  const dir = database.migrationsDir === undefined ? undefined : join(appRoot, database.migrationsDir);
  const hash = hashOf(database, dir);
  const server = env.GROUNDWORK_TEST_POSTGRES_URL;
  if (server)
    return {
      kind: "native",
      database: database.name,
      url: await makeNativeTemplate(server, `groundwork_template_${hash}`, dir),
    };
  const folder = join(appRoot, ".groundwork", `test-template-${hash}`);
  await makeTemplateFolder(folder, database.name, dir);
  return {
    kind: "embedded",
    database: database.name,
    dir: folder,
    url: `postgresql://${appName}@localhost/${database.name}`,
  };
}

/** A copy of the template, ready for connections. */
export function cloneDatabase(template: Template): Promise<ClonedDatabase> {
  if (template.kind === "native") return cloneNative(template.url);
  const copies = process.env.GROUNDWORK_TEST_COPIES;
  return copies ? requestCopy(copies, template) : cloneFolder(template.dir, template.database);
}
