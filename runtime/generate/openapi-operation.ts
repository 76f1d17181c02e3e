// One endpoint as OpenAPI operations: where each field travels decides between parameter and body (H-30).
import type { AppModel, EndpointModel, Field, PathSegment, Schema } from "../model";
import type { JsonSchema, JsonSchemas } from "./openapi-schema";

const METHODS_WITH_BODY = new Set(["POST", "PUT", "PATCH"]);
const PATH_TYPES = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int: { type: "integer" },
  float64: { type: "number" },
  decimal: { type: "string" },
};

/** The fields of a request or response, through its name. */
export function fieldsOf(schema: Schema | null | undefined, model: AppModel): Field[] {
  if (schema?.kind === "struct") return schema.fields;
  const decl = schema?.kind === "named" ? model.decls[schema.id] : undefined;
  return decl ? fieldsOf(decl.type, model) : [];
}

/** `/users/{id}`; a wildcard or fallback is an ordinary parameter to OpenAPI. */
export const openapiPath = (segments: PathSegment[]): string =>
  `/${segments.map((segment) => (segment.kind === "literal" ? segment.value : `{${segment.value}}`)).join("/")}`;

function pathParameters(segments: PathSegment[]): JsonSchema[] {
  return segments.flatMap((segment) =>
    segment.kind === "literal"
      ? []
      : [{ name: segment.value, in: "path", required: true, schema: { ...PATH_TYPES[segment.type] } }],
  );
}

export type Place = "header" | "query" | "cookie" | "body" | "httpStatus";

export function placeOf(field: Field, method: string): Place {
  if (field.wire) return field.wire.in;
  return METHODS_WITH_BODY.has(method) ? "body" : "query";
}

export function parameter(field: Field, place: "header" | "query" | "cookie", schemas: JsonSchemas): JsonSchema {
  const name = (field.wire && "name" in field.wire && place !== "query" ? field.wire.name : undefined) ?? field.name;
  const { description, ...schema } = schemas.field(field);
  return { name, in: place, required: !field.optional, ...(description !== undefined && { description }), schema };
}

function requestParts(
  endpoint: EndpointModel,
  method: string,
  model: AppModel,
  schemas: JsonSchemas,
): { parameters: JsonSchema[]; requestBody?: JsonSchema } {
  const fields = fieldsOf(endpoint.handshake ?? endpoint.request, model);
  const parameters = pathParameters(endpoint.path);
  const body: Field[] = [];
  for (const field of fields) {
    const place = placeOf(field, method);
    if (place === "body" || place === "httpStatus") body.push(field);
    else parameters.push(parameter(field, place, schemas));
  }
  if (!body.length) return { parameters };
  const schema =
    body.length === fields.length && endpoint.request ? schemas.of(endpoint.request) : schemas.object(body);
  const required = body.some((field) => !field.optional);
  return { parameters, requestBody: { required, content: { "application/json": { schema } } } };
}

function successResponse(endpoint: EndpointModel, model: AppModel, schemas: JsonSchemas): JsonSchema {
  const fields = fieldsOf(endpoint.response, model);
  const body = fields.filter((field) => !field.wire);
  const headers = fields.filter((field) => field.wire?.in === "header" || field.wire?.in === "cookie");
  const named = headers.map((field): [string, JsonSchema] => {
    if (field.wire?.in === "cookie") return ["Set-Cookie", { schema: { type: "string" } }];
    const { schema, description } = parameter(field, "header", schemas);
    return [
      (field.wire && "name" in field.wire ? field.wire.name : undefined) ?? field.name,
      { ...(description !== undefined && { description }), schema },
    ];
  });
  const whole = endpoint.response && body.length === fields.length;
  const schema = whole ? schemas.of(endpoint.response as Schema) : schemas.object(body);
  return {
    description: "Success",
    ...(named.length && { headers: Object.fromEntries(named) }),
    ...(fields.length && { content: { "application/json": { schema } } }),
  };
}

/** Which one it chooses, its type does not say. */
const choosesStatus = ({ response }: EndpointModel, model: AppModel): boolean =>
  fieldsOf(response, model).some(({ wire }) => wire?.in === "httpStatus");

function describe(doc: string | undefined): JsonSchema {
  if (doc === undefined) return {};
  const [summary = "", ...rest] = doc.split("\n");
  return { summary, ...(rest.length && { description: doc }) };
}

/** What an endpoint answers when it fails, and whether it asks for a caller. */
export interface Refusing {
  /** Of a response in the document. */
  response: string;
  isSignedIn: boolean;
}

/** The operation of one method of an endpoint. */
export function operation(
  endpoint: EndpointModel,
  method: string,
  model: AppModel,
  schemas: JsonSchemas,
  { response, isSignedIn }: Refusing,
): JsonSchema {
  const error = { $ref: `#/components/responses/${response}` };
  const single = endpoint.methods.length === 1;
  const isRaw = endpoint.protocol === "raw" || endpoint.protocol === "static";
  const isStream = endpoint.protocol.startsWith("stream");
  const parts = isRaw ? { parameters: pathParameters(endpoint.path) } : requestParts(endpoint, method, model, schemas);
  const success = isRaw ? { description: "Whatever the endpoint writes" } : successResponse(endpoint, model, schemas);
  return {
    operationId: `${endpoint.service}.${endpoint.name}${single ? "" : `.${method.toLowerCase()}`}`,
    tags: [endpoint.service],
    ...describe(endpoint.doc),
    ...(isStream && { "x-websocket": true }),
    ...parts,
    responses: isStream
      ? { 101: { description: "Switching to a WebSocket" }, default: error }
      : { [choosesStatus(endpoint, model) ? "2XX" : 200]: success, default: error },
    ...(isSignedIn && model.authHandler && { security: [{ [model.authHandler.name]: [] }] }),
  };
}
