// Endpoints: `api(cfg, handler)`, `api.raw`, `api.static` and the three streams.
import { basename, dirname } from "node:path";
import { Refusal } from "../errors";
import { refuseAt } from "../source/literals";
import { spotAt, spotOf } from "../source/modules";
import { boundVariable, enclosingCall, referencesTo } from "../source/references";
import { ts, type TypeScript } from "../typescript";
import { endpointConfig, type EndpointConfig } from "./endpoint-config";
import { meaningful, requestParams, responseParams, unwrapPromise } from "./endpoint-types";
import { handlerSignature } from "./handler-signature";
import type { Pass, ResourceFinder } from "./pass";
import { parsePath, type PathPart } from "./path";
import { typedPath } from "./path-types";
import type { EndpointResource, TypeAt } from "./resource";
import { staticAssets } from "./static-assets";
import { streamTypes } from "./stream-types";

const DEFAULT_BODY_LIMIT = 2 * 1024 * 1024;
const STREAMS = { streamIn: "streamIn", streamOut: "streamOut", streamInOut: "streamInOut" } as const;

interface Call {
  node: TypeScript.CallExpression;
  nameNode: TypeScript.Identifier;
  configNode: TypeScript.Expression;
  config: EndpointConfig;
}

interface Types {
  request?: TypeAt | undefined;
  response?: TypeAt | undefined;
  handshake?: TypeAt | undefined;
}

function endpointVariant(node: TypeScript.CallExpression): string {
  return ts.isPropertyAccessExpression(node.expression) ? node.expression.name.text : "";
}

function readCall(id: TypeScript.Identifier): Call | undefined {
  const node = enclosingCall(id);
  if (!node) return undefined;
  const nameNode = boundVariable(node);
  if (!nameNode)
    throw refuseAt(node, "API endpoint must be bound to an exported variable", "Write `export const name = api(…)`.");
  const [configNode] = node.arguments;
  if (!configNode) throw refuseAt(node, "API endpoint must have a config object as its first argument");
  return { node, nameNode, configNode, config: endpointConfig(configNode) };
}

function handlerOf({ node, configNode }: Call, message: string): TypeScript.Expression {
  const handler = node.arguments[1];
  if (handler) return handler;
  throw new Refusal(message, spotAt(configNode, configNode.getEnd()), {
    remedy: "Give the function that answers the request.",
  });
}

/** Path as configured, or `/service.endpoint`. */
function pathOf({ config, nameNode, configNode }: Call, serviceName: string): PathPart[] {
  const spot = spotOf(config.path?.node ?? configNode);
  return parsePath(config.path?.value ?? `/${serviceName}.${nameNode.text}`, spot);
}

function typedTypes(call: Call, pass: Pass): Types {
  const handler = handlerOf(call, "API endpoint must have a handler function");
  const signature = handlerSignature(handler, "endpoint handler cannot have type parameters");
  const [first, second] = call.node.typeArguments ?? [];
  const request = signature.request ?? first;
  const response = signature.response ?? second;
  return { request: request && pass.typeAt(request), response: response && pass.typeAt(response) };
}

function typesOf(call: Call, variant: string, pass: Pass): Types {
  if (variant in STREAMS) {
    const handler = handlerOf(call, "API endpoint must have a handler function as its second argument");
    return streamTypes(call.node, handler, variant as keyof typeof STREAMS, pass);
  }
  if (variant !== "raw") return typedTypes(call, pass);
  handlerOf(call, "API endpoint must have a handler function as its second argument");
  return {};
}

/** What the response carries, without its promise. */
function responseOf(response: TypeAt | undefined, pass: Pass): TypeAt | undefined {
  const type = response && meaningful(unwrapPromise(response.type, pass.evaluator));
  return response && type && { type, node: response.node };
}

function refuseMissingRequest(call: Call, path: PathPart[], request: TypeAt | undefined): void {
  if (request || path.every((part) => part.segment.kind === "literal")) return;
  const remedy = "Give the handler a parameter with a type that has a field for each path parameter.";
  throw refuseAt(call.node, "request schema must be defined when having path parameters", remedy);
}

type Encoded = Pick<
  EndpointResource,
  "path" | "request" | "response" | "handshake" | "requestParams" | "responseParams" | "handshakeParams"
>;

interface Shape {
  variant: string;
  methods: string[];
  path: PathPart[];
}

function encode(call: Call, { variant, methods, path }: Shape, types: Types, pass: Pass): Encoded {
  const { evaluator } = pass;
  const raw = variant === "raw";
  const response = responseOf(types.response, pass);
  const { request, handshake } = types;
  const isStream = variant in STREAMS;
  if (!raw) refuseMissingRequest(call, path, isStream ? handshake : request);
  const handshakeParams = requestParams(handshake, path, ["GET"], evaluator);
  const ownParams = requestParams(request, isStream ? [] : path, methods, evaluator);
  const typed = typedPath(path, isStream ? handshakeParams : ownParams, raw);
  return {
    path: typed,
    request,
    response,
    handshake,
    handshakeParams,
    requestParams: ownParams,
    responseParams: responseParams(response, evaluator),
  };
}

function plain(path: PathPart[]): Encoded {
  return {
    path,
    request: undefined,
    response: undefined,
    handshake: undefined,
    requestParams: [],
    responseParams: [],
    handshakeParams: [],
  };
}

function methodsOf({ config }: Call, variant: string): string[] {
  if (variant === "static") return ["HEAD", "GET"];
  return variant in STREAMS ? ["GET"] : (config.method ?? ["POST"]);
}

function protocolOf(variant: string): EndpointResource["protocol"] {
  if (variant in STREAMS) return STREAMS[variant as keyof typeof STREAMS];
  return variant === "raw" || variant === "static" ? variant : "regular";
}

function readEndpoint(call: Call, serviceName: string, pass: Pass): EndpointResource {
  const { node, nameNode, config } = call;
  const variant = endpointVariant(node);
  const methods = methodsOf(call, variant);
  if (variant === "static" && !config.dir)
    throw refuseAt(call.configNode, "static assets must have the 'dir' field set");
  const types = variant === "static" ? {} : undefined;
  const found = types ?? typesOf(call, variant, pass);
  const path = pathOf(call, serviceName);
  const assets = variant === "static" ? staticAssets(config, path, call.configNode, pass) : undefined;
  return {
    kind: "endpoint",
    node,
    nameNode,
    module: pass.module,
    name: nameNode.text,
    serviceName,
    doc: pass.doc(node),
    protocol: protocolOf(variant),
    expose: config.expose ?? false,
    auth: config.auth ?? false,
    sensitive: config.sensitive ?? false,
    tags: config.tags ?? [],
    bodyLimit: config.bodyLimit === undefined ? DEFAULT_BODY_LIMIT : config.bodyLimit,
    methods,
    assets,
    ...(assets ? plain(path) : encode(call, { variant, methods, path }, found, pass)),
  };
}

/** The strong service of the folder, or the folder's name. */
export const implicitService = (pass: Pass): string => pass.serviceName ?? basename(dirname(pass.module.path));

export const endpointFinder: ResourceFinder = {
  specifier: "encore.dev/api",
  find(pass) {
    const serviceName = implicitService(pass);
    pass.each(referencesTo(pass.module, "encore.dev/api", ["api"]), ({ id }) => {
      const call = readCall(id);
      if (call) pass.add(readEndpoint(call, serviceName, pass), { kind: "named", id: call.nameNode });
    });
  },
};
