// The OpenAPI 3.1 document of an app: its exposed endpoints, by service, with the types that travel.
import type { AppModel, AuthHandlerModel, EndpointModel } from "../model";
import { sortedServices } from "./code";
import { fieldsOf, openapiPath, operation } from "./openapi-operation";
import { JsonSchemas, type JsonSchema } from "./openapi-schema";

export interface DocumentInfo {
  title: string;
  version: string;
  headers?: readonly GuardHeader[];
  errors?: readonly ErrorForm[];
}

/**
 * How endpoints with a tag fail, where middlewares of the app write another form than Encore's. They ask for a caller by
 * themselves, because the gateway would refuse in Encore's.
 */
export interface ErrorForm {
  name: string;
  tag: string;
  schema: JsonSchema;
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
function withHeaders(
  described: JsonSchema,
  endpoint: EndpointModel,
  isSignedIn: boolean,
  headers: readonly GuardHeader[],
): JsonSchema {
  const parameters = described.parameters as { in: string; name: string }[];
  const known = new Set(parameters.filter((p) => p.in === "header").map(({ name }) => name.toLowerCase()));
  const read = headers.filter(
    ({ name, tag, auth }) =>
      !known.has(name.toLowerCase()) &&
      (tag === undefined || endpoint.tags.includes(tag)) &&
      (auth !== true || isSignedIn),
  );
  const added = read.map(({ name, description }) => ({
    ...{ name, in: "header", required: false, description },
    schema: { type: "string" },
  }));
  return { ...described, parameters: [...parameters, ...added] };
}

const responseOf = (schema: JsonSchema): JsonSchema => ({
  description: "Error",
  content: { "application/json": { schema } },
});

/** Exposed endpoints only: what is internal is nobody else's contract. */
export function openapi(model: AppModel, { title, version, headers = [], errors = [] }: DocumentInfo): object {
  const schemas = new JsonSchemas(model);
  const paths: Record<string, JsonSchema> = {};
  const describe: Describe = (endpoint, method) => {
    const form = errors.find(({ tag }) => endpoint.tags.includes(tag));
    const isSignedIn = endpoint.auth || form !== undefined;
    const refusing = { response: form?.name ?? "Error", isSignedIn };
    return withHeaders(operation(endpoint, method, model, schemas, refusing), endpoint, isSignedIn, headers);
  };
  const services = sortedServices(model).filter((service) => service.endpoints.some((endpoint) => endpoint.expose));
  for (const service of services)
    for (const endpoint of service.endpoints) if (endpoint.expose) addPath(paths, endpoint, describe);
  const handler = model.authHandler;
  const error = responseOf({ $ref: "#/components/schemas/APIError" });
  return {
    openapi: "3.1.0",
    info: { title, version },
    tags: services.map((service) => ({ name: service.name })),
    paths,
    components: {
      schemas: { ...schemas.components, APIError: ERROR_SCHEMA },
      responses: {
        Error: error,
        ...Object.fromEntries(errors.map(({ name, schema }) => [name, responseOf(schema)])),
      },
      ...(handler && { securitySchemes: { [handler.name]: securityScheme(handler, model) } }),
    },
  };
}
