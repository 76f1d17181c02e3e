// The OpenAPI 3.1 document of an app: its exposed endpoints, by service, with the types that travel.
import type { AppModel, AuthHandlerModel, EndpointModel } from "../model";
import { sortedServices } from "./code";
import { fieldsOf, openapiPath, operation } from "./openapi-operation";
import { JsonSchemas, type JsonSchema } from "./openapi-schema";

export interface DocumentInfo {
  title: string;
  version: string;
  headers?: readonly GuardHeader[];
}

/** A header that the app's middlewares read, so that no endpoint declares it. All requests may send it, or those of endpoints with a tag, or with `auth`. */
export interface GuardHeader {
  name: string;
  description: string;
  tag?: string;
  auth?: boolean;
}

const METHODS = new Set(["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"]);

/** What every failed request answers with (section 3.8 of the contract). */
const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  title: "APIError",
  description: "The shape of every error answer.",
  properties: {
    code: { type: "string", description: "Error code, for example not_found." },
    message: { type: "string", description: "What went wrong, for a human." },
    details: { type: ["object", "null"], description: "More about the error, depending on the endpoint." },
  },
  required: ["code", "message"],
};

/** The first place the auth handler reads: a bearer token when it is the Authorization header. */
function securityScheme(handler: AuthHandlerModel, model: AppModel): JsonSchema {
  const [field] = fieldsOf(handler.params, model);
  const wire = field?.wire;
  if (!field || !wire || wire.in === "httpStatus") return { type: "http", scheme: "bearer" };
  const name = wire.name ?? field.name;
  if (wire.in === "header" && name.toLowerCase() === "authorization") return { type: "http", scheme: "bearer" };
  return { type: "apiKey", in: wire.in, name };
}

type Describe = (endpoint: EndpointModel, method: string) => JsonSchema;

function addPath(paths: Record<string, JsonSchema>, endpoint: EndpointModel, describe: Describe): void {
  const item = (paths[openapiPath(endpoint.path)] ??= {});
  for (const method of endpoint.methods.filter((name) => METHODS.has(name)))
    item[method.toLowerCase()] ??= describe(endpoint, method);
}

/** Those headers that the endpoint does not declare by itself. */
function withHeaders(described: JsonSchema, endpoint: EndpointModel, headers: readonly GuardHeader[]): JsonSchema {
  const parameters = described.parameters as { in: string; name: string }[];
  const known = new Set(parameters.filter((p) => p.in === "header").map(({ name }) => name.toLowerCase()));
  const read = headers.filter(
    ({ name, tag, auth }) =>
      !known.has(name.toLowerCase()) &&
      (tag === undefined || endpoint.tags.includes(tag)) &&
      (auth !== true || endpoint.auth),
  );
  const added = read.map(({ name, description }) => ({
    ...{ name, in: "header", required: false, description },
    schema: { type: "string" },
  }));
  return { ...described, parameters: [...parameters, ...added] };
}

/** Exposed endpoints only: what is internal is nobody else's contract. */
export function openapi(model: AppModel, { title, version, headers = [] }: DocumentInfo): object {
  const schemas = new JsonSchemas(model);
  const paths: Record<string, JsonSchema> = {};
  const describe: Describe = (endpoint, method) =>
    withHeaders(operation(endpoint, method, model, schemas), endpoint, headers);
  const services = sortedServices(model).filter((service) => service.endpoints.some((endpoint) => endpoint.expose));
  for (const service of services)
    for (const endpoint of service.endpoints) if (endpoint.expose) addPath(paths, endpoint, describe);
  const handler = model.authHandler;
  const error = {
    description: "Error",
    content: { "application/json": { schema: { $ref: "#/components/schemas/APIError" } } },
  };
  return {
    openapi: "3.1.0",
    info: { title, version },
    tags: services.map((service) => ({ name: service.name })),
    paths,
    components: {
      schemas: { ...schemas.components, APIError: ERROR_SCHEMA },
      responses: { Error: error },
      ...(handler && { securitySchemes: { [handler.name]: securityScheme(handler, model) } }),
    },
  };
}
