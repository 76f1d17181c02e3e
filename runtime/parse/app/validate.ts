// Rules that look at more than one declaration, and at types as a whole.
import { type Spot } from "../errors";
import { spotOf } from "../source/modules";
import { render, renderValidation } from "../types/debug-text";
import type { Evaluator } from "../types/evaluator";
import { unsupportedRules } from "../types/validation";
import type { Type } from "../types/type";
import { pathText } from "../resources/path";
import type { EndpointResource, Param, Resource, TypeAt } from "../resources/resource";
import type { Found, Reading } from "./read-app";
import { RouteTable } from "./routes";
import { KnownTags } from "./endpoint-tags";
import { serviceAt, type DiscoveredService } from "./services";
import type { TypeScript } from "../typescript";

/** Through names, optionality and validation. */
function concrete(type: Type, evaluator: Evaluator): Type {
  if (type.kind === "optional" || type.kind === "validated") return concrete(type.type, evaluator);
  return type.kind === "named" ? concrete(evaluator.underlying(type), evaluator) : type;
}

function fitsQuery(type: Type, evaluator: Evaluator): boolean {
  const inner = concrete(type, evaluator);
  switch (inner.kind) {
    case "basic":
    case "literal":
    case "enum":
    case "decimal":
      return true;
    case "array":
      return fitsQuery(inner.elem, evaluator);
    case "union":
      return inner.types.every((member) => fitsQuery(member, evaluator));
    case "wire":
      return inner.location === "query" && fitsQuery(inner.type, evaluator);
    default:
      return false;
  }
}

/** Visits a type and everything below it, each named type once. */
function visit(type: Type, evaluator: Evaluator, see: (type: Type) => boolean, seen = new Set<unknown>()): void {
  if (!see(type)) return;
  const each = (types: Type[]): void => types.forEach((inner) => visit(inner, evaluator, see, seen));
  switch (type.kind) {
    case "array":
      return each([type.elem]);
    case "interface":
      return each(type.fields.map((field) => field.type));
    case "union":
    case "tuple":
      return each(type.types);
    case "optional":
    case "validated":
    case "wire":
      return each([type.type]);
    case "intersection":
      return each([type.left, type.right]);
    case "named": {
      if (!seen.has(type.declared)) {
        seen.add(type.declared);
        each([evaluator.underlying(type)]);
      }
      return each(type.args);
    }
    default:
  }
}

class Validator {
  constructor(
    readonly found: Found,
    readonly services: DiscoveredService[],
    readonly reading: Reading,
  ) {}

  #report(message: string, spot: Spot | undefined, remedy?: string): void {
    this.reading.diagnostics.report(message, spot, remedy === undefined ? {} : { remedy });
  }

  of<K extends Resource["kind"]>(kind: K): Extract<Resource, { kind: K }>[] {
    return this.found.resources.filter(
      (resource): resource is Extract<Resource, { kind: K }> => resource.kind === kind,
    );
  }

  endpoints(): void {
    const endpoints = this.of("endpoint");
    this.#unique(
      endpoints,
      (ep) => `${ep.serviceName}\0${ep.name}`,
      (ep) => ep.nameNode,
      () => "api endpoints with conflicting names defined within the same service",
    );
    const tags = KnownTags.read(this.reading.files, this.reading.root);
    for (const endpoint of tags ? endpoints : [])
      for (const tag of endpoint.tags.filter((text) => !tags?.has(text)))
        this.#report(`unknown tag "${tag}" on ${endpoint.name}`, spotOf(endpoint.node), tags?.remedyFor(tag));
    for (const service of this.services) {
      const tables = new Map<string, RouteTable>();
      const own = endpoints.filter((ep) => serviceAt(ep.module.path, this.services) === service);
      for (const endpoint of own) {
        this.#route(endpoint, tables);
        this.#endpoint(endpoint);
      }
    }
  }

  #route(endpoint: EndpointResource, tables: Map<string, RouteTable>): void {
    for (const method of endpoint.methods) {
      const table = tables.get(method) ?? new RouteTable();
      tables.set(method, table);
      const problem = table.add(pathText(endpoint.path.map((part) => part.segment)));
      if (!problem) continue;
      this.#report(
        problem,
        spotOf(endpoint.node),
        `Each path that answers ${method} has to be told apart from the others of the service; a parameter takes a whole segment.`,
      );
    }
  }

  #endpoint(endpoint: EndpointResource): void {
    const { protocol, handshake, request, response } = endpoint;
    this.#query(endpoint.handshakeParams);
    if (protocol !== "streamIn" && protocol !== "streamInOut") this.#query(endpoint.requestParams);
    if (protocol !== "streamOut" && protocol !== "streamInOut") this.#status(endpoint.responseParams);
    for (const at of [handshake, request, response]) {
      if (!at) continue;
      this.#top(at);
      this.validations(at);
    }
  }

  #query(params: Param[]): void {
    for (const param of params) {
      if (param.in !== "query" || fitsQuery(param.type, this.reading.evaluator)) continue;
      this.#report(
        "type not supported for query parameters",
        param.spot,
        `'${param.name}' travels in the query string: use text, numbers, booleans, literals, or lists of these.`,
      );
    }
  }

  #status(params: Param[]): void {
    const [first, second] = params.filter((param) => param.in === "httpStatus");
    if (second) this.#report("http status can only be defined once per response type", first?.spot);
  }

  #top({ type, node }: TypeAt): void {
    const inner = concrete(type, this.reading.evaluator);
    if (inner.kind === "interface" && inner.index)
      this.#report("type index is not supported in schema types", spotOf(node));
    else if (inner.kind === "interface" && inner.calls)
      this.#report("call signatures are not supported in schema types", spotOf(node));
    else if (inner.kind !== "interface" && !(inner.kind === "basic" && inner.name === "void")) {
      this.#report("request and response types must be interfaces or void", spotOf(node));
    }
  }

  validations({ type, node }: TypeAt): void {
    visit(type, this.reading.evaluator, (inner) => {
      if (inner.kind === "validated") {
        const wrong = unsupportedRules(inner.expr, inner.type);
        const texts = wrong.map((rule) => `${renderValidation(rule)} cannot be applied to ${render(inner.type)}`);
        if (texts.length) this.#report(`unsupported validation: ${texts.join(", ")}`, spotOf(node));
        return !texts.length;
      }
      if (inner.kind !== "validation") return true;
      const remedy = "validation expressions must be attached to a regular type using '&'";
      this.#report(
        `unsupported standalone validation expression: ${renderValidation(inner.expr)}`,
        spotOf(node),
        remedy,
      );
      return false;
    });
  }

  #unique<T>(
    list: T[],
    key: (item: T) => string,
    node: (item: T) => TypeScript.Node,
    message: (item: T) => string,
  ): void {
    const seen = new Map<string, T>();
    for (const item of list) {
      const first = seen.get(key(item));
      seen.set(key(item), item);
      if (!first) continue;
      const { file, line } = this.reading.diagnostics.place(spotOf(node(first)));
      this.#report(message(item), spotOf(node(item)), `Previously defined in ${file}:${line}.`);
    }
  }

  /** Two that become one name where the app imports their clients. */
  serviceNames(): void {
    const seen = new Map<string, string>();
    for (const { name, file, folder } of this.services) {
      const client = name.replaceAll("-", "_");
      const other = seen.get(client);
      seen.set(client, name);
      if (other === undefined || other === name) continue;
      const spot = { path: file ?? folder, text: "", offset: 0 };
      const message = `the services ${other} and ${name} are both called ${client} in ~encore/clients`;
      this.#report(message, spot, "Rename one of them: a hyphen becomes an underscore there.");
    }
  }

  names(): void {
    const topics = this.of("topic");
    for (const topic of topics) this.validations(topic.message);
    this.#unique(
      topics,
      (r) => r.name,
      (r) => r.node,
      () => "PubSub topic with this name already defined",
    );
    const ids = new Map<unknown, number>();
    const topicId = (of: unknown): number => ids.get(of) ?? (ids.set(of, ids.size), ids.size - 1);
    const subscriptions = this.of("subscription");
    this.#unique(
      subscriptions,
      (r) => `${topicId(r.topic.declared)}\0${r.name}`,
      (r) => r.node,
      () => "PubSub subscription with this name already defined on this topic",
    );
    this.#unique(
      this.of("database"),
      (r) => r.name,
      (r) => r.node,
      () => "SQL Database with this name already defined",
    );
    const twice = (name: string): string =>
      `metric '${name}' is defined multiple times; metrics must have unique names across the entire application`;
    this.#unique(
      this.of("metric"),
      (r) => r.name,
      (r) => r.node,
      (r) => twice(r.name),
    );
    this.#unique(
      this.of("cron"),
      (r) => r.name,
      (r) => r.node,
      () => "cron job with this name already defined",
    );
    this.#unique(
      this.of("bucket"),
      (r) => r.name,
      (r) => r.node,
      () => "bucket with this name already defined",
    );
    this.#unique(
      this.of("authHandler"),
      () => "",
      (r) => r.node,
      () => "only one auth handler can be defined per application",
    );
    this.#unique(
      this.of("cluster"),
      (r) => r.name,
      (r) => r.node,
      () => "cache cluster with this name already defined",
    );
  }
}

export function validateApp(found: Found, services: DiscoveredService[], reading: Reading): void {
  const validator = new Validator(found, services, reading);
  validator.serviceNames();
  validator.endpoints();
  validator.names();
}
