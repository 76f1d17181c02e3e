// `~encore/clients`: one module per service, whose functions call its endpoints (2.1, 2.2). Outside of tests a client
// has no code of the target service in it; its types come from the handlers themselves.
import type { AppModel, EndpointModel, ServiceModel } from "../model";
import {
  endpointOptions,
  hasParameters,
  identifier,
  importPath,
  isStream,
  lines,
  middlewares,
  quote,
  sortedServices,
  streamsRequest,
  streamsResponse,
  type GeneratedFile,
} from "./code";
import { exportOf, localEndpoints, ownExport, type LocalEndpoint } from "./local-names";

const CALLS = { streamIn: "streamIn", streamOut: "streamOut", streamInOut: "streamInOut" } as const;

function callOf(endpoint: EndpointModel): string {
  const call = isStream(endpoint) ? CALLS[endpoint.protocol as keyof typeof CALLS] : "apiCall";
  return `return ${call}(${quote(endpoint.service)}, ${quote(endpoint.name)}, params, opts);`;
}

function clientFunction(named: LocalEndpoint): string {
  const { endpoint, local } = named;
  const { name } = endpoint;
  const { before, behind } = exportOf(named);
  const head = hasParameters(endpoint)
    ? `${before}async function ${local}(params, opts) {`
    : `${before}async function ${local}(opts) {\n  const params = undefined;`;
  return `${head}
  if (typeof ENCORE_DROP_TESTS === "undefined" && process.env.NODE_ENV === "test") {
    return TEST_ENDPOINTS.${name}(params, opts);
  }
  ${callOf(endpoint)}
}
${behind}`;
}

function endpointsJs(service: ServiceModel): string {
  const endpoints = localEndpoints(service);
  return `import { apiCall, streamIn, streamOut, streamInOut } from "encore.dev/internal/codegen/api";

const TEST_ENDPOINTS = typeof ENCORE_DROP_TESTS === "undefined" && process.env.NODE_ENV === "test"
  ? await import("./endpoints_testing.js")
  : null;

${lines(endpoints.map(clientFunction))}
${ownExport(service, "Client")}class Client {
  constructor() {
${lines(endpoints.map(({ endpoint, local }) => `    this.${endpoint.name} = ${local};`))}  }
}

let instance;

${ownExport(service, "ref")}function ref() {
  return (instance ??= new Client());
}
`;
}

function testingFunction(named: LocalEndpoint, service: ServiceModel, file: string): string {
  const { endpoint, local } = named;
  const { before, behind } = exportOf(named);
  const { name, place, exportName } = endpoint;
  const route = `{ service: ${quote(service.name)}, name: ${quote(name)}, raw: ${endpoint.protocol === "raw"}, handler, streamingRequest: ${streamsRequest(endpoint)}, streamingResponse: ${streamsResponse(endpoint)} }`;
  return `${before}async function ${local}(params, opts) {
  const handler = (await import(${importPath(file, place.file, "")})).${exportName};
  const apiRoute = ${route};
  registerTestHandler({
    ...apiRoute, // for SDKs before 1.45
    apiRoute,
    middlewares: ${middlewares(service)},
    endpointOptions: ${endpointOptions(endpoint)},
  });
  ${callOf(endpoint)}
}
${behind}`;
}

function testingJs(service: ServiceModel, file: string): string {
  const serviceImport =
    service.file === undefined
      ? ""
      : `import * as ${identifier(service.name)}_service from ${importPath(file, service.file, "")};\n`;
  return `import { apiCall, streamIn, streamOut, streamInOut } from "encore.dev/internal/codegen/api";
import { registerTestHandler } from "encore.dev/internal/codegen/appinit";
${serviceImport}
${lines(localEndpoints(service).map((named) => testingFunction(named, service, file)))}`;
}

const STREAM_TYPES = `import type {
  StreamInOutHandlerFn,
  StreamInHandlerFn,
  StreamOutHandlerFn,
  StreamOutWithResponse,
  StreamIn,
  StreamInOut,
} from "encore.dev/api";

type StreamHandshake<Type extends (...args: any[]) => any> = Parameters<Type> extends [infer H, any] ? H : void;
type StreamRequest<Type> = Type extends StreamInOutHandlerFn<any, infer Req, any> | StreamInHandlerFn<any, infer Req, any> | StreamOutHandlerFn<any, any> ? Req : never;
type StreamResponse<Type> = Type extends StreamInOutHandlerFn<any, any, infer Resp> | StreamInHandlerFn<any, any, infer Resp> | StreamOutHandlerFn<any, infer Resp> ? Resp : never;
`;

function streamResult({ endpoint: { protocol }, local }: LocalEndpoint): string {
  const request = `StreamRequest<typeof ${local}_handler>`;
  const response = `StreamResponse<typeof ${local}_handler>`;
  if (protocol === "streamInOut") return `StreamInOut<${response}, ${request}>`;
  return protocol === "streamIn" ? `StreamOutWithResponse<${request}, ${response}>` : `StreamIn<${response}>`;
}

function endpointType(named: LocalEndpoint, file: string): string {
  const { endpoint, local } = named;
  const { name, exportName, place } = endpoint;
  const imported = `import type { ${exportName} as ${local}_handler } from ${importPath(file, place.file, ".js")};`;
  const handshake = `StreamHandshake<typeof ${local}_handler>`;
  const type = isStream(endpoint)
    ? `(...args: ${handshake} extends void ? [opts?: CallOpts] : [data: ${handshake}, opts?: CallOpts]) => Promise<${streamResult(named)}>`
    : `WithCallOpts<typeof ${local}_handler>`;
  return `${imported}
type ${local}_Type = ${type};
declare const ${local}: ${local}_Type;
export { ${local === name ? name : `${local} as ${name}`} };
`;
}

function endpointsDts(service: ServiceModel, file: string): string {
  const endpoints = localEndpoints(service);
  const className = ownExport(service, "Client");
  const ref = ownExport(service, "ref");
  return `import type { CallOpts } from "encore.dev/api";
${endpoints.some(({ endpoint }) => isStream(endpoint)) ? STREAM_TYPES : ""}
type Parameters<T> = T extends (...args: infer P) => unknown ? P : never;
type WithCallOpts<T extends (...args: any) => any> = (...args: [...Parameters<T>, opts?: CallOpts]) => ReturnType<T>;

${lines(endpoints.map((named) => endpointType(named, file)))}
${className === "" ? "declare " : "export "}class Client {
  private constructor();
${lines(endpoints.map(({ endpoint, local }) => `  readonly ${endpoint.name}: ${local}_Type;`))}}
${ref === "" ? "" : "\nexport declare function ref(): Client;\n"}`;
}

function serviceFiles(service: ServiceModel): GeneratedFile[] {
  const folder = `internal/clients/${service.name}`;
  return [
    { path: `${folder}/endpoints.js`, contents: endpointsJs(service) },
    { path: `${folder}/endpoints.d.ts`, contents: endpointsDts(service, `${folder}/endpoints.d.ts`) },
    { path: `${folder}/endpoints_testing.js`, contents: testingJs(service, `${folder}/endpoints_testing.js`) },
  ];
}

export function clientFiles(model: AppModel): GeneratedFile[] {
  const services = sortedServices(model);
  const exports = (extension: string): string =>
    lines(
      services.map(
        ({ name }) => `export * as ${identifier(name)} from "../internal/clients/${name}/endpoints${extension}";`,
      ),
    );
  return [
    { path: "clients/index.js", contents: exports(".js") },
    { path: "clients/index.d.ts", contents: exports("") },
    ...services.flatMap(serviceFiles),
  ];
}
