// Reads every file of the app and finds what it declares: resources, the names they are bound to, services.
import { dirname, relative, sep } from "node:path";
import type { Diagnostics } from "../errors";
import type { Files } from "../source/files";
import type { Modules, SourceModule } from "../source/modules";
import { SERVICE_FILE, walkApp } from "../source/walk";
import { FINDERS } from "../resources/finders";
import { Pass } from "../resources/pass";
import type { Bind, PendingBind, Resource } from "../resources/resource";
import { spotOf } from "../source/modules";
import { ts } from "../typescript";
import type { Evaluator } from "../types/evaluator";

export interface Reading {
  root: string;
  files: Files;
  modules: Modules;
  evaluator: Evaluator;
  diagnostics: Diagnostics;
}

export interface Found {
  resources: Resource[];
  binds: Bind[];
  /** The app's own files, in reading order. */
  sources: SourceModule[];
}

export const isInside = (path: string, folder: string): boolean => {
  const rest = relative(folder, path);
  return rest === "" || (rest !== ".." && !rest.startsWith(`..${sep}`));
};

function importedSpecifiers(module: SourceModule): string[] {
  return module.file.statements.flatMap((statement) =>
    ts.isImportDeclaration(statement) && ts.isStringLiteral(statement.moduleSpecifier)
      ? [statement.moduleSpecifier.text]
      : [],
  );
}

function searchFile(module: SourceModule, serviceName: string | undefined, reading: Reading): Pass {
  const { evaluator, diagnostics, files } = reading;
  const pass = new Pass(module, evaluator, diagnostics, files, serviceName);
  for (const specifier of new Set(importedSpecifiers(module))) {
    for (const finder of FINDERS) if (finder.specifier === specifier) finder.find(pass);
  }
  return pass;
}

function reportMissingService(module: SourceModule, pass: Pass): void {
  if (!module.path.endsWith(`/${SERVICE_FILE}`) || pass.resources.some((resource) => resource.kind === "service"))
    return;
  const remedy = 'Write `export default new Service("name")` in it.';
  const spot = { ...spotOf(module.file), offset: startOf(module) };
  const message = `${SERVICE_FILE} must define a Service resource`;
  // In a file without statements Encore counts from line 0.
  const official = `${pass.diagnostics.place(spot).file}:0:1: ${message}`;
  pass.diagnostics.report(message, spot, { remedy, ...(module.file.statements.length === 0 && { official }) });
}

/** Where the first statement starts; a file without any starts at its beginning. */
const startOf = (module: SourceModule): number => module.file.statements[0]?.getStart() ?? 0;

function resolveBinds(resources: Resource[], pending: PendingBind[], diagnostics: Diagnostics): Bind[] {
  return pending.flatMap((bind) => {
    const { resource } = bind;
    if (resource.kind !== "by name") return [{ ...bind, resource }];
    const target = resources.findLast(
      (candidate) => candidate.kind === resource.of && candidate.name === resource.name,
    );
    if (target) return [{ ...bind, resource: target }];
    const label = { database: "SQLDatabase", bucket: "Bucket", cluster: "CacheCluster" }[resource.of];
    const remedy = `Declare it somewhere in the app: new ${label}("${resource.name}").`;
    diagnostics.report(
      `resource not found: ${label} { name: ${JSON.stringify(resource.name)} }`,
      bind.node && spotOf(bind.node),
      { remedy },
    );
    return [];
  });
}

/** Walks the app. A file with a syntax error is reported and left out. */
export function readApp(reading: Reading): Found {
  const { root, files, modules, diagnostics } = reading;
  const resources: Resource[] = [];
  const pending: PendingBind[] = [];
  const sources: SourceModule[] = [];
  let service: { folder: string; name: string } | undefined;
  for (const step of walkApp(files, root)) {
    if (step.kind === "folder") {
      if (service && !isInside(step.path, service.folder)) service = undefined;
      continue;
    }
    const module = diagnostics.attempt(() => modules.load(step.path));
    if (!module) continue;
    sources.push(module);
    const pass = searchFile(module, service?.name, reading);
    reportMissingService(module, pass);
    const own = pass.resources.find((resource) => resource.kind === "service");
    if (own) service = { folder: dirname(step.path), name: own.name };
    resources.push(...pass.resources);
    pending.push(...pass.binds);
  }
  return { resources, binds: resolveBinds(resources, pending, diagnostics), sources };
}
