// Where ids stand in requests, read off the app's model: each exposed endpoint, each parameter of its path, each id of its
// query, headers and body. An endpoint that is added is tried without being named here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../../http/__tests__/support/repository-root";
import type { AppModel } from "../../../../model";
import { modelFile } from "../../../../parse/cache";
import { createSampler, operationsOf, type Document, type Operation, type Schema } from "../fuzz/openapi";
import { createRandom } from "../fuzz/random";

/** Where an id stands in a request. */
export interface Slot {
  operation: Operation;
  where: "path" | "query" | "header" | "body";
  /** In a body with dots, as in `filter.ids`. */
  name: string;
  /** Of a list, by an operator and the id: one that nobody has leaves nothing of it. */
  isFilter?: true;
}

export interface PairRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  groundwork: { openapiHeaders: { name: string }[] };
};
/** Said of every endpoint and decided before it, the same for whatever id: security/__tests__/guard.test.ts. */
const OF_GUARD = new Set(manifest.groundwork.openapiHeaders.map(({ name }) => name));
const ID = /ids?$/i;
/** Things of a person's device, by its own names for them (WebAuthn). */
const OF_DEVICES = new Set(["passkey", "attestation"]);
/** Of a body's members within members; no id of ours is deeper. */
const DEPTH_MAX = 3;

export const describeSlot = ({ operation, where, name }: Slot): string =>
  `${operation.method} ${operation.path}, ${name} in the ${where}`;

/** Not the mailbox of development and the files of pages, whose ids belong to nobody. Nor names that PUT gives to the asker's own things. */
const isAsked = ({ method, path }: Operation): boolean =>
  method !== "PUT" && !/^\/(?:mail|docs|console\/\{asset\})/.test(path);

/** Of an app that was parsed. */
export const modelOf = (app: string): AppModel => JSON.parse(readFileSync(modelFile(app), "utf8")) as AppModel;

/** Each endpoint that clients reach, as `METHOD /path` with `{}` for what varies. */
export const exposedIn = (model: AppModel): string[] =>
  model.services.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ expose, methods, path }) =>
      expose
        ? methods.map(
            (method) => `${method} /${path.map(({ kind, value }) => (kind === "literal" ? value : "{}")).join("/")}`,
          )
        : [],
    ),
  );

export function slotsOf(document: Document, model: AppModel): Slot[] {
  const exposed = new Set(exposedIn(model));
  return operationsOf(document)
    .filter((operation) => isAsked(operation))
    .filter(({ method, path }) => exposed.has(`${method} ${path.replace(/\{[^{}]*\}/g, "{}")}`))
    .flatMap((operation) => [
      ...operation.parameters.flatMap(({ in: where, name, schema }): Slot[] =>
        where === "path" || (where !== "cookie" && ID.test(name) && !OF_GUARD.has(name))
          ? [{ operation, where, name, ...(where === "query" && schema?.type === "array" ? { isFilter: true } : {}) }]
          : [],
      ),
      ...membersOf(document, operation.body, ID).map((name): Slot => ({ operation, where: "body", name })),
    ]);
}

/** Members of a body whose names fit, those of members within it too, as in `filter.ids`. */
export function membersOf(
  document: Document,
  schema: Schema | undefined,
  pattern: RegExp,
  at = "",
  depth = 0,
): string[] {
  const meant =
    schema?.$ref === undefined ? schema : document.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""];
  if (meant === undefined || depth > DEPTH_MAX) return [];
  return Object.entries(meant.properties ?? {}).flatMap(([name, property]) => {
    if (OF_DEVICES.has(name)) return [];
    return pattern.test(name) ? [`${at}${name}`] : membersOf(document, property, pattern, `${at}${name}.`, depth + 1);
  });
}

/**
 * A request with the id in its slot. Everything else is the same for the same seed: values that the schemas accept, and
 * in other places of the path things of the asker's own, by the places' names.
 */
export function requestFor(
  document: Document,
  { operation, where, name, isFilter }: Slot,
  id: string,
  { own, seed }: { own: (place: string) => string; seed: number },
): PairRequest {
  const { method, path, parameters, body } = operation;
  const sample = createSampler(document, createRandom(seed));
  const address = path.replace(/\{([^{}]*)\}/g, (_, place: string) =>
    encodeURIComponent(where === "path" && place === name ? id : own(place)),
  );
  const required = parameters
    .filter((parameter) => parameter.in === "header" && !OF_GUARD.has(parameter.name))
    .map((parameter) => [parameter.name, String(sample(parameter.schema))]);
  const headers = { ...Object.fromEntries(required), ...(where === "header" ? { [name]: id } : {}) };
  const query =
    where === "query" ? `?${encodeURIComponent(name)}=${isFilter ? "eq." : ""}${encodeURIComponent(id)}` : "";
  if (body === undefined) return { method, path: address + query, headers };
  const filled = sample(body) as Record<string, unknown>;
  if (where === "body") putMember(filled, name.split("."), id);
  return { method, path: address + query, headers, body: JSON.stringify(filled) };
}

/** Alone in the member that it stands in: what else a filter names could keep the id from being looked for. */
export function putMember(into: Record<string, unknown>, [first = "", ...rest]: string[], id: string): void {
  if (rest.length === 0) {
    into[first] = first.endsWith("s") ? [id] : id;
    return;
  }
  const inner: Record<string, unknown> = {};
  into[first] = inner;
  putMember(inner, rest, id);
}
