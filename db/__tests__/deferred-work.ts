// What acts later, for somebody who is gone: every job, consumer, saga and cron of the app, as its sources define them. A suite
// that asked only what it imports itself would pass over whatever is added.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { localConsumers } from "../../events/consumer";
import { allWorkers } from "../../queues/factory";
import type { JobDefinition } from "../../queues/job";
import type { AppModel } from "../../runtime/model";

const root = join(import.meta.dirname, "../..");
const DEFINING = ["defineJob", "consumer", "registerSaga"] as const;

type Defining = (typeof DEFINING)[number];

interface Definition {
  call: Defining;
  file: string;
  /** Undefined where it is computed. */
  name: string | undefined;
}

/** The text of the first argument, or of its `name`. */
function nameOf(argument: ts.Node | undefined): string | undefined {
  if (argument === undefined) return undefined;
  if (ts.isStringLiteralLike(argument)) return argument.text;
  if (!ts.isObjectLiteralExpression(argument)) return undefined;
  const named = argument.properties.find((property) => property.name?.getText() === "name");
  return named && ts.isPropertyAssignment(named) ? nameOf(named.initializer) : undefined;
}

function definitionsIn(file: string): Definition[] {
  const text = readFileSync(join(root, file), "utf8");
  if (!DEFINING.some((call) => text.includes(`${call}(`))) return [];
  const found: Definition[] = [];
  const visit = (node: ts.Node): void => {
    const call = ts.isCallExpression(node) ? DEFINING.find((name) => name === node.expression.getText()) : undefined;
    if (call !== undefined) found.push({ call, file, name: nameOf((node as ts.CallExpression).arguments[0]) });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true));
  return found;
}

/** In the folders of all services, without their tests. */
export function definitionsOf({ services }: AppModel): Definition[] {
  return services.flatMap(({ folder }) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.includes("__tests__"))
      .flatMap((file) => definitionsIn(`${folder}/${file}`)),
  );
}

const isJob = (value: unknown): value is JobDefinition =>
  typeof value === "object" && value !== null && "payload" in value && "retry" in value && "timeoutMs" in value;

/** Loads every file that defines something of it, and with that its workers and consumers. */
export async function loadDeferredWork(model: AppModel): Promise<{
  definitions: Definition[];
  jobs: JobDefinition[];
  workers: string[];
  consumers: string[];
  crons: Map<string, () => Promise<unknown>>;
}> {
  const definitions = definitionsOf(model);
  const modules = await Promise.all(
    [...new Set(definitions.map(({ file }) => file))].map((file) => import(join(root, file)) as Promise<object>),
  );
  return {
    definitions,
    jobs: modules.flatMap((module) => Object.values(module).filter(isJob)),
    workers: allWorkers().map(({ jobName }) => jobName),
    consumers: [...localConsumers.keys()],
    crons: new Map(await Promise.all(model.crons.map(async (cron) => [cron.id, await runOf(model, cron)] as const))),
  };
}

/** The endpoint that a cron calls. It takes nothing, so that there is nothing to name another tenant's things in. */
async function runOf(model: AppModel, { id, endpoint }: AppModel["crons"][number]): Promise<() => Promise<unknown>> {
  const found = model.services
    .find(({ name }) => name === endpoint.service)
    ?.endpoints.find(({ name }) => name === endpoint.name);
  if (found === undefined) throw new Error(`cron ${id} calls an endpoint that is not there`);
  if (found.request !== null) throw new Error(`cron ${id} calls ${found.name}, which takes something`);
  const module = (await import(join(root, found.place.file))) as Record<string, () => Promise<unknown>>;
  const run = module[found.exportName];
  if (run === undefined) throw new Error(`cron ${id}: ${found.place.file} does not export ${found.exportName}`);
  return run;
}
