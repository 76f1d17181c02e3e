// What an endpoint is called inside a generated client. Its own name, unless the client's code, or what is made of another
// endpoint's name, has that already: an app may call an endpoint `process` or `ref`. It is exported under its own name.
import type { EndpointModel, ServiceModel } from "../model";
import { handledEndpoints, identifier } from "./code";

/** Every name that the templates in clients.ts use at the top of a module, or look up from within a function. */
const TAKEN = [
  ...["apiCall", "streamIn", "streamOut", "streamInOut", "registerTestHandler", "TEST_ENDPOINTS"],
  ...["Client", "ref", "instance", "process", "undefined", "ENCORE_DROP_TESTS"],
  ...["CallOpts", "Parameters", "WithCallOpts", "ReturnType", "Promise"],
  ...["StreamHandshake", "StreamRequest", "StreamResponse", "StreamInOutHandlerFn", "StreamInHandlerFn"],
  ...["StreamOutHandlerFn", "StreamOutWithResponse", "StreamIn", "StreamInOut"],
];
/** What is made of a name by adding to it. */
const ENDINGS = ["", "_handler", "_Type"];

export interface LocalEndpoint {
  endpoint: EndpointModel;
  local: string;
}

export function localEndpoints(service: ServiceModel): LocalEndpoint[] {
  const taken = new Set([...TAKEN, `${identifier(service.name)}_service`]);
  return handledEndpoints(service).map((endpoint) => {
    let local = endpoint.name;
    while (ENDINGS.some((ending) => taken.has(local + ending))) local += "_";
    for (const ending of ENDINGS) taken.add(local + ending);
    return { endpoint, local };
  });
}

/** `export` before a declaration, and the statement behind it that exports it under another name. */
export const exportOf = ({ endpoint: { name }, local }: LocalEndpoint): { before: string; behind: string } =>
  local === name ? { before: "export ", behind: "" } : { before: "", behind: `export { ${local} as ${name} };\n` };

/** The client's own export of that name, where no endpoint has it. */
export const ownExport = (service: ServiceModel, name: "Client" | "ref"): string =>
  handledEndpoints(service).some((endpoint) => endpoint.name === name) ? "" : "export ";
