// Small things that every generated file needs.
import { dirname, relative } from "node:path";
import type { AppModel, EndpointModel, ServiceModel } from "../model";

export interface GeneratedFile {
  /** Relative to encore.gen/. */
  path: string;
  contents: string;
}

/** Lists with one item per line, nothing when there is none. */
export const lines = (items: readonly string[]): string => items.map((item) => `${item}\n`).join("");

export const quote = (text: string): string => JSON.stringify(text);

/** A service's name as an identifier (L-10). */
export const identifier = (name: string): string => name.replaceAll("-", "_");

/** From a generated file to a file of the app, in the given form of extension. */
export function importPath(generated: string, appFile: string, extension: "" | ".js"): string {
  const path = relative(dirname(`encore.gen/${generated}`), appFile).replaceAll("\\", "/");
  return quote(path.replace(/\.ts$/, extension));
}

export const isStream = ({ protocol }: EndpointModel): boolean =>
  protocol === "streamIn" || protocol === "streamOut" || protocol === "streamInOut";

/** Endpoints with a handler of their own: all but static assets. */
export const handledEndpoints = (service: ServiceModel): EndpointModel[] =>
  service.endpoints.filter((endpoint) => endpoint.protocol !== "static");

/** Whether a call carries data: fields of the request, path parameters among them. */
export function hasParameters(endpoint: EndpointModel): boolean {
  const inPath = endpoint.protocol !== "raw" && endpoint.path.some((segment) => segment.kind !== "literal");
  if (isStream(endpoint)) return !!endpoint.handshake || inPath;
  return !!endpoint.request || inPath;
}

/** The record that the SDK keeps about an endpoint (2.3). */
export const endpointOptions = (endpoint: EndpointModel): string =>
  JSON.stringify({
    expose: endpoint.expose,
    auth: endpoint.auth,
    isRaw: endpoint.protocol === "raw",
    isStream: isStream(endpoint),
    tags: endpoint.tags,
  });

export const streamsRequest = ({ protocol }: EndpointModel): boolean =>
  protocol === "streamIn" || protocol === "streamInOut";
export const streamsResponse = ({ protocol }: EndpointModel): boolean =>
  protocol === "streamOut" || protocol === "streamInOut";

export const sortedServices = (model: AppModel): ServiceModel[] =>
  [...model.services].sort((a, b) => (a.folder < b.folder ? -1 : 1));

/** The expression that gives a service's middlewares, in a file that imported its service file as `<name>_service`. */
export const middlewares = (service: ServiceModel): string =>
  service.file === undefined ? "[]" : `${identifier(service.name)}_service.default.cfg.middlewares || []`;
