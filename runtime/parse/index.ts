// From an app's sources to its AppModel, or to everything that is wrong with it.
import { realpathSync } from "node:fs";
import type { AppModel } from "../model";
import { readAppFile } from "./app/app-file";
import { ModelBuilder } from "./app/model";
import { readApp, type Found, type Reading } from "./app/read-app";
import { discoverServices, type DiscoveredService } from "./app/services";
import { accessesOf, addUses, type Access } from "./app/uses";
import { isExtended } from "./app/settings";
import { validateApp } from "./app/validate";
import { Diagnostics, type ParseError } from "./errors";
import type { ParseOptions } from "./options";
import type { Bind } from "./resources/resource";
import { Files, type Dependencies } from "./source/files";
import { Lookup } from "./source/lookup";
import { Modules } from "./source/modules";
import { Evaluator } from "./types/evaluator";
import { loadTypeScript } from "./typescript";
import { findUses } from "./usage/find";

export type { ParseError } from "./errors";
export type { ParseOptions } from "./options";

export type ParseResult = { ok: true; model: AppModel } | { ok: false; errors: ParseError[] };

export type TrackedParse = ParseResult & { dependencies: Dependencies };

/** Names as they are in the generated clients: `my-service` is `my_service`. */
const clientName = (service: string): string => service.replaceAll("-", "_");

function clientBinds(services: DiscoveredService[], modules: Modules): Bind[] {
  const byName = [...services].sort((a, b) => (a.name < b.name ? -1 : 1));
  return byName.map(({ name }) => ({
    resource: { kind: "client", service: name },
    module: modules.clients,
    name: clientName(name),
    reference: false,
  }));
}

interface Analysis {
  found: Found;
  services: DiscoveredService[];
  accesses: Access[];
}

function analyse(reading: Reading): Analysis {
  const { modules, diagnostics } = reading;
  const found = readApp(reading);
  const services = discoverServices(found.binds, diagnostics);
  const uses = findUses([...found.binds, ...clientBinds(services, modules)], found.sources, modules, diagnostics);
  const accesses = accessesOf(uses, reading);
  validateApp(found, services, reading);
  return { found, services, accesses };
}

function buildModel(reading: Reading): AppModel | undefined {
  const { diagnostics, files, root } = reading;
  const { found, services, accesses } = analyse(reading);
  if (diagnostics.count) return undefined;
  const builder = new ModelBuilder(reading, services, found.binds, readAppFile(files, root));
  const model = builder.declarations();
  addUses(model, accesses, services, reading);
  return model;
}

/** Like parseApp, with everything that the outcome depends on. */
export function parseAppTracked(folder: string, { extended }: ParseOptions = {}): TrackedParse {
  loadTypeScript();
  const root = realpathSync(folder);
  const files = new Files();
  const diagnostics = new Diagnostics(root);
  const model = diagnostics.attempt(() => {
    const modules = new Modules(files, root);
    const evaluator = new Evaluator(new Lookup(modules, diagnostics), diagnostics, extended ?? isExtended(files, root));
    return buildModel({ root, files, modules, evaluator, diagnostics });
  });
  const { dependencies } = files;
  if (model && !diagnostics.count) return { ok: true, model, dependencies };
  return { ok: false, errors: diagnostics.errors, dependencies };
}

/**
 * Parses the app in `root`, the folder of its encore.app.
 * @returns the model, or every error at once
 */
export function parseApp(root: string, options: ParseOptions = {}): ParseResult {
  const { dependencies: _, ...result } = parseAppTracked(root, options);
  return result;
}
