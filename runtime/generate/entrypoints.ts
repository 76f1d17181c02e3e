// The modules that start the app (2.3): they import everything that declares something, hand the handlers to the SDK
// and run. `combined` is the one in use; the others start one service or the gateway alone.
import type { AppModel, EndpointModel, GatewayModel, ServiceModel } from "../model";
import {
  endpointOptions,
  handledEndpoints,
  identifier,
  importPath,
  lines,
  middlewares,
  quote,
  sortedServices,
  streamsRequest,
  streamsResponse,
  type GeneratedFile,
} from "./code";

interface Parts {
  file: string;
  gateways: GatewayModel[];
  services: ServiceModel[];
  model: AppModel;
}

const handlerName = ({ service, name }: EndpointModel, index: number): string =>
  `${identifier(service)}_${name}Impl${index}`;
const gatewayName = ({ name }: GatewayModel): string => `${identifier(name)}GW`;

function imports({ file, gateways, services, model }: Parts): string[] {
  const names = new Set(services.map((service) => service.name));
  const endpoints = services.flatMap(handledEndpoints);
  const subscriptions = model.topics
    .flatMap((topic) => topic.subscriptions)
    .filter((subscription) => names.has(subscription.service));
  const subscriptionFiles = [...new Set(subscriptions.map((subscription) => subscription.place.file))].sort();
  const metrics = model.metrics.filter(
    (metric) => metric.exportName !== undefined && services.some(({ folder }) => isBelow(metric.place.file, folder)),
  );
  return [
    ...gateways.map((gateway) => gatewayImport(gateway, file)),
    ...endpoints.map(
      (endpoint, i) =>
        `import { ${endpoint.exportName} as ${handlerName(endpoint, i)} } from ${importPath(file, endpoint.place.file, "")};`,
    ),
    ...subscriptionFiles.map((path) => `import ${importPath(file, path, "")};`),
    ...services.flatMap((service) => {
      const { name, file: own } = service;
      if (own === undefined) return [];
      // A service without endpoints has its workers: esbuild leaves out an import whose name nothing uses.
      const binding = handledEndpoints(service).length === 0 ? "" : `* as ${identifier(name)}_service from `;
      return [`import ${binding}${importPath(file, own, "")};`];
    }),
    ...metricFiles(metrics).map((path) => `import ${importPath(file, path, "")};`),
  ];
}

/** A gateway that is bound to nothing registers itself when its file is imported. */
function gatewayImport(gateway: GatewayModel, file: string): string {
  const from = importPath(file, gateway.place?.file ?? "", "");
  return gateway.exportName === undefined
    ? `import ${from};`
    : `import { ${gateway.exportName} as ${gatewayName(gateway)} } from ${from};`;
}

const isBelow = (path: string, folder: string): boolean => folder === "" || path.startsWith(`${folder}/`);

/** Imported for their effect: a metric that is not exported has to exist as well. */
const metricFiles = (metrics: AppModel["metrics"]): string[] =>
  [...new Set(metrics.map((metric) => metric.place.file))].sort();

function handler(endpoint: EndpointModel, index: number, service: ServiceModel): string {
  return `  handlerOf({
    apiRoute: {
      service: ${quote(endpoint.service)},
      name: ${quote(endpoint.name)},
      handler: ${handlerName(endpoint, index)},
      raw: ${endpoint.protocol === "raw"},
      streamingRequest: ${streamsRequest(endpoint)},
      streamingResponse: ${streamsResponse(endpoint)},
    },
    endpointOptions: ${endpointOptions(endpoint)},
    middlewares: ${middlewares(service)},
  }),`;
}

function handlers(services: ServiceModel[]): string[] {
  const all = services.flatMap((service) => handledEndpoints(service).map((endpoint) => ({ endpoint, service })));
  return all.map(({ endpoint, service }, index) => handler(endpoint, index, service));
}

function main(parts: Parts): string {
  const { gateways, services } = parts;
  return `import { registerGateways, registerHandlers, run, type Handler } from "encore.dev/internal/codegen/appinit";

${lines(imports(parts))}
const gateways: any[] = [${gateways
    .filter((gateway) => gateway.exportName !== undefined)
    .map(gatewayName)
    .join(", ")}];

// SDKs before 1.45 take the route itself.
const handlerOf = (handler: Handler): Handler => ({ ...handler.apiRoute, ...handler });

const handlers: Handler[] = [
${lines(handlers(services))}];

registerGateways(gateways);
registerHandlers(handlers);

// SDKs before 1.57.5 leave the end to whoever runs them.
const code: unknown = await run(import.meta.url);
if (typeof code === "number") process.exit(code);
`;
}

export function entrypointFiles(model: AppModel): GeneratedFile[] {
  const services = sortedServices(model);
  const gateways = model.gateways.filter((gateway) => gateway.explicit);
  const file = (kind: string): string => `internal/entrypoints/${kind}/main.ts`;
  const make = (path: string, parts: Pick<Parts, "gateways" | "services">): GeneratedFile => ({
    path,
    contents: main({ file: path, model, ...parts }),
  });
  return [
    make(file("combined"), { gateways, services }),
    ...services.map((service) => make(file(`services/${service.name}`), { gateways: [], services: [service] })),
    ...gateways.map((gateway) => make(file(`gateways/${gateway.name}`), { gateways: [gateway], services: [] })),
  ];
}
