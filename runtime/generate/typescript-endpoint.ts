// One endpoint as a method of a TypeScript client: path parameters one by one, then the other fields, each sent where
// the runtime looks for it (H-30).
import type { AppModel, EndpointModel, Field, PathSegment, Schema } from "../model";
import { isStream, quote } from "./code";
import { fieldsOf, placeOf } from "./openapi-operation";
import { docComment, isReserved, literalKey, member, type TypeTexts } from "./typescript-types";

type Parameter = Exclude<PathSegment, { kind: "literal" }>;

const PATH_TYPES: Record<Parameter["type"], string> = {
  string: "string",
  bool: "boolean",
  int: "number",
  float64: "number",
  decimal: "string",
};

/** What a method's body names. */
const WORDS = new Set([
  "params",
  "init",
  "method",
  "own",
  "segment",
  "segments",
  "StreamIn",
  "StreamOut",
  "StreamInOut",
]);

/** A path parameter as the name of an argument, apart from the method's own and the language's. */
const argument = (name: string): string =>
  WORDS.has(name) || isReserved(name) || !/^[A-Za-z_$][\w$]*$/.test(name) ? `${name.replaceAll(/\W/g, "_")}_` : name;

/** What a class cannot have as a method, or what would make its objects promises or change what they are. */
const TAKEN_METHODS = new Set(["constructor", "then", "__proto__"]);

/** An endpoint as the name of a method. */
const methodName = (name: string): string => (TAKEN_METHODS.has(name) ? `${name}_` : name);

const pathParameters = (endpoint: EndpointModel): Parameter[] =>
  endpoint.path.filter((segment): segment is Parameter => segment.kind !== "literal");

/** Path parameters by name as arguments, no two alike. */
function argumentsOf(endpoint: EndpointModel): Map<string, string> {
  const named = new Map<string, string>();
  const taken = new Set<string>();
  for (const { value } of pathParameters(endpoint)) {
    let name = argument(value);
    while (taken.has(name)) name += "_";
    named.set(value, name);
    taken.add(name);
  }
  return named;
}

function pathArguments(endpoint: EndpointModel): string[] {
  const named = argumentsOf(endpoint);
  return pathParameters(endpoint).map(({ value, type }) => `${named.get(value)}: ${PATH_TYPES[type]}`);
}

function pathText(endpoint: EndpointModel): string {
  const named = argumentsOf(endpoint);
  const parts = endpoint.path.map((segment) => {
    if (segment.kind === "literal") return segment.value.replaceAll(/[`\\$]/g, "\\$&");
    return `\${${segment.kind === "param" ? "segment" : "segments"}(${named.get(segment.value)})}`;
  });
  return `\`/${parts.join("/")}\``;
}

/** Where an endpoint has several methods, one is the client's: POST, else the first. */
export const methodOf = ({ methods }: EndpointModel): string =>
  methods.includes("POST") || methods.includes("*") ? "POST" : (methods[0] ?? "POST");

/** The name on the wire; an explicit one counts for headers and cookies only (H-30). */
export const wireName = ({ name, wire }: Field): string =>
  wire && wire.in !== "query" && "name" in wire ? (wire.name ?? name) : name;

/** An object literal that takes `fields` out of `from`. */
export const picked = (fields: readonly Field[], from: string): string =>
  `{ ${fields.map((field) => `${literalKey(wireName(field))}: ${member(from, field.name)}`).join(", ")} }`;

/** The parts of a request, as the properties of a literal; none that would be empty. */
function requestParts(fields: readonly Field[], method: string): string[] {
  const at = (place: string): Field[] => fields.filter((field) => placeOf(field, method) === place);
  const body = fields.filter((field) => ["body", "httpStatus"].includes(placeOf(field, method)));
  const parts = (
    [
      ["query", at("query")],
      ["headers", at("header")],
      ["cookies", at("cookie")],
    ] as const
  ).filter(([, list]) => list.length);
  const texts = parts.map(([name, list]) => `${name}: ${picked(list, "params")}`);
  if (body.length)
    texts.push(
      body.length === fields.length
        ? "body: params"
        : `body: { ${body.map((field) => `${literalKey(field.name)}: ${member("params", field.name)}`).join(", ")} }`,
    );
  return texts;
}

function paramsArgument(schema: Schema | null | undefined, fields: readonly Field[], types: TypeTexts): string[] {
  if (!schema || fields.length === 0) return [];
  // An empty object has a `constructor` all the same, which a field of that name is not.
  const empty = fields.some(({ name }) => name in Object.prototype) ? " = {} as any" : " = {}";
  return [`params: ${types.of(schema)}${fields.every((field) => field.optional) ? empty : ""}`];
}

/** What a caller gets of a response: the status and cookies are not part of it (G-46). */
function result(endpoint: EndpointModel, types: TypeTexts, model: AppModel): string {
  const fields = fieldsOf(endpoint.response, model);
  const isHidden = ({ wire }: Field): boolean =>
    wire?.in === "cookie" || wire?.in === "query" || wire?.in === "httpStatus";
  const hidden = fields.filter(isHidden);
  if (!endpoint.response || hidden.length === fields.length) return "void";
  const whole = types.of(endpoint.response);
  return hidden.length ? `Omit<${whole}, ${hidden.map(({ name }) => quote(name)).join(" | ")}>` : whole;
}

const headerKind = (type: Schema): string =>
  type.kind === "builtin" && (type.name === "float64" || type.name === "int")
    ? "number"
    : type.kind === "builtin" && type.name === "bool"
      ? "boolean"
      : "string";

const headerType = (type: Schema): string =>
  type.kind === "list" ? `${quote(headerKind(type.elem))}, true` : quote(headerKind(type));

function responseHeaders(endpoint: EndpointModel, model: AppModel): string[] {
  const fields = fieldsOf(endpoint.response, model).filter(({ wire }) => wire?.in === "header");
  return fields.length
    ? [
        `responseHeaders: { ${fields.map((field) => `${literalKey(field.name)}: [${quote(wireName(field))}, ${headerType(field.type)}]`).join(", ")} }`,
      ]
    : [];
}

function typedMethod(endpoint: EndpointModel, types: TypeTexts, model: AppModel): string {
  const method = methodOf(endpoint);
  const fields = fieldsOf(endpoint.request, model);
  const args = [...pathArguments(endpoint), ...paramsArgument(endpoint.request, fields, types)];
  const parts = [
    `method: ${quote(method)}`,
    `path: ${pathText(endpoint)}`,
    ...requestParts(fields, method),
    ...responseHeaders(endpoint, model),
  ];
  const type = result(endpoint, types, model);
  return `  async ${methodName(endpoint.name)}(${args.join(", ")}): Promise<${type}> {\n    ${type === "void" ? "await" : "return"} this.#base.call${type === "void" ? "" : `<${type}>`}({ ${parts.join(", ")} });\n  }\n`;
}

function rawMethod(endpoint: EndpointModel): string {
  const { methods } = endpoint;
  const any = methods.includes("*");
  const chosen = !any && methods.length === 1 ? quote(methods[0] ?? "") : "method";
  const args = [
    ...(chosen === "method" ? [`method: ${any ? "string" : methods.map(quote).join(" | ")}`] : []),
    ...pathArguments(endpoint),
    "init: RawInit = {}",
  ];
  return `  async ${methodName(endpoint.name)}(${args.join(", ")}): Promise<globalThis.Response> {\n    return this.#base.raw(${chosen}, ${pathText(endpoint)}, init);\n  }\n`;
}

function streamMethod(endpoint: EndpointModel, types: TypeTexts, model: AppModel): string {
  const sent = endpoint.request ? types.of(endpoint.request) : "unknown";
  const received = endpoint.response ? types.of(endpoint.response) : "void";
  const kinds = {
    streamInOut: `StreamInOut<${sent}, ${received}>`,
    streamIn: `StreamOut<${sent}, ${received}>`,
    streamOut: `StreamIn<${received}>`,
  };
  const type = kinds[endpoint.protocol as keyof typeof kinds];
  const fields = fieldsOf(endpoint.handshake, model);
  const args = [...pathArguments(endpoint), ...paramsArgument(endpoint.handshake, fields, types)];
  const parts = [`path: ${pathText(endpoint)}`, ...requestParts(fields, "GET")];
  return `  async ${methodName(endpoint.name)}(${args.join(", ")}): Promise<${type}> {\n    return new ${type}(await this.#base.connect<${received}>({ ${parts.join(", ")} }));\n  }\n`;
}

/** The endpoint's method, with its comment. */
export function endpointMethod(endpoint: EndpointModel, types: TypeTexts, model: AppModel): string {
  const doc = docComment(endpoint.doc, "  ");
  if (endpoint.protocol === "raw") return doc + rawMethod(endpoint);
  return doc + (isStream(endpoint) ? streamMethod(endpoint, types, model) : typedMethod(endpoint, types, model));
}
