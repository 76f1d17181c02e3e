// Once per vitest run: the host's own bundles, the app's model and encore.gen/, and one migrated template per
// database. What the test files need of it travels by vitest's provide/inject.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { TestProject } from "vitest/node";
import { hostPackageRoot } from "../host-files";
import { parseForCommand } from "../commands/parse-app";
import { formatParseError } from "../parse/errors";
import { ParseFailure } from "../commands/parse-app";
import { createTemplate, hostDatabase, needsHostDatabase, startCopyBroker } from "../infra";

export interface TestApp {
  root: string;
  modelFile: string;
  /** Encore database name → template, as JSON. */
  templates: Record<string, unknown>;
  /** Of the host's own database, where the app's topics have no other store. */
  hostTemplate: unknown;
  redisUrl: string | null;
  /** Where copies of templates are asked for. */
  copies: string;
  /** Where a process keeps what its buckets hold; private, and gone with the run. */
  folder: string;
}

declare module "vitest" {
  interface ProvidedContext {
    groundworkTestApp: TestApp;
  }
}

/** Only for the app that the host lives with: others use the host as it was built. */
async function rebuildHost(root: string): Promise<void> {
  const script = join(hostPackageRoot, "scripts", "bundles.mjs");
  if (!existsSync(script) || relative(root, hostPackageRoot) !== "") return;
  const { buildHost } = (await import(pathToFileURL(script).href)) as { buildHost: (root: string) => Promise<void> };
  await buildHost(hostPackageRoot);
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const root = project.config.env.GROUNDWORK_TEST_APP;
  if (!root) return undefined; // the plugin stepped aside
  await rebuildHost(root);
  const { model, modelFile } = await parseForCommand(root).catch((error: unknown) => {
    if (error instanceof ParseFailure) throw new Error(error.errors.map(formatParseError).join("\n"));
    throw error;
  });
  const templates: Record<string, unknown> = {};
  for (const database of model.databases) templates[database.name] = await createTemplate(database, root, process.env);
  const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? null;
  const hostTemplate = needsHostDatabase(model, { redisUrl })
    ? await createTemplate({ name: hostDatabase, nonSequential: false, migrations: [] }, root, process.env)
    : null;
  const broker = await startCopyBroker();
  const folder = mkdtempSync(join(tmpdir(), "groundwork-test-")); // only we can enter it
  const copies = broker.path;
  project.provide("groundworkTestApp", { root, modelFile, templates, hostTemplate, redisUrl, copies, folder });
  return async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
