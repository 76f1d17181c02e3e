// Where the fields of an endpoint's types travel (H-30), and which types an endpoint may have at its top.
import { Refusal } from "../errors";
import { spotOf } from "../source/modules";
import { dump } from "../types/debug-text";
import type { Evaluator } from "../types/evaluator";
import type { InterfaceType, Type, TypeField, WireType } from "../types/type";
import { hasBody } from "./endpoint-config";
import type { PathPart } from "./path";
import type { Param, TypeAt } from "./resource";

export function unwrapPromise(type: Type, evaluator: Evaluator): Type {
  const isPromise = type.kind === "named" && type.declared.name === "Promise" && evaluator.isUniverse(type.module);
  return (isPromise ? type.args[0] : undefined) ?? type;
}

/** undefined for what carries nothing: void, and objects without members. */
export function meaningful(type: Type): Type | undefined {
  if (type.kind === "interface" && !type.fields.length && !type.index) return undefined;
  return type.kind === "basic" && type.name === "void" ? undefined : type;
}

/** The object behind a type, through promises and names. */
export function interfaceBehind(type: Type, evaluator: Evaluator): InterfaceType | undefined {
  const inner = evaluator.underlying(unwrapPromise(type, evaluator));
  return inner.kind === "interface" ? inner : undefined;
}

export function wireOf(type: Type): WireType | undefined {
  if (type.kind === "wire") return type;
  return type.kind === "validated" || type.kind === "optional" ? wireOf(type.type) : undefined;
}

/** @throws Refusal when the type is no object */
export function fieldsOf({ type, node }: TypeAt, evaluator: Evaluator): TypeField[] {
  const inner = unwrapPromise(type, evaluator);
  if (inner.kind === "basic" && inner.name === "void") return [];
  const found = interfaceBehind(inner, evaluator);
  if (found) return found.fields;
  const remedy = "Requests and responses are interfaces. Put a list, a union or a primitive into a field of one.";
  throw new Refusal(`expected named interface type, found ${dump(inner)}`, spotOf(node), { remedy });
}

const BY_WIRE = {
  header: "header",
  query: "query",
  cookie: "cookie",
  httpStatus: "httpStatus",
  attribute: "body",
} as const;

function toParam(field: TypeField, otherwise: "query" | "body"): Param {
  const wire = wireOf(field.type);
  return { name: field.name, in: wire ? BY_WIRE[wire.location] : otherwise, type: field.type, spot: field.spot };
}

/** The places that requests of these methods use for fields without a place of their own. */
function defaultPlaces(methods: string[]): ("query" | "body")[] {
  const places: ("query" | "body")[] = [];
  if (methods.some((method) => !hasBody(method))) places.push("query");
  if (methods.some(hasBody)) places.push("body");
  return places;
}

/** @throws Refusal when a path parameter is no field of the request */
export function requestParams(
  request: TypeAt | undefined,
  path: PathPart[],
  methods: string[],
  evaluator: Evaluator,
): Param[] {
  if (!request) return [];
  const rest = new Map(fieldsOf(request, evaluator).map((field) => [field.name, field]));
  const params: Param[] = [];
  for (const { segment, spot } of path) {
    if (segment.kind === "literal") continue;
    const field = rest.get(segment.value);
    if (!field)
      throw new Refusal("path parameter not found in request schema", spot, {
        remedy: `Add the field '${segment.value}' to the request type.`,
      });
    rest.delete(segment.value);
    params.push({ name: field.name, in: "path", type: field.type, spot: field.spot });
  }
  for (const place of defaultPlaces(methods)) for (const field of rest.values()) params.push(toParam(field, place));
  return params;
}

export function responseParams(response: TypeAt | undefined, evaluator: Evaluator): Param[] {
  return response ? fieldsOf(response, evaluator).map((field) => toParam(field, "body")) : [];
}
