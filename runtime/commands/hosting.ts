// Which part of the app this process hosts, and where the rest is: the infra config's word, or that of
// ENCORE_PROCESS_CONFIG, which comes first (12.2).
import { z } from "zod";
import type { HostConfig } from "../config";
import { type InfraConfig, InfraError } from "../infra";
import type { AppModel } from "../model";
import { UsageError } from "./app-root";

export type Hosting = Pick<HostConfig, "hostedServices" | "hostsGateway" | "peers" | "serviceKeys">;

const MAX_PORT = 65_535;
const processConfig = z.object({
  hosted_services: z.array(z.string()),
  hosted_gateways: z.array(z.string()),
  local_service_ports: z.record(z.string(), z.number().int().min(1).max(MAX_PORT)).default({}),
});

/** ENCORE_PROCESS_CONFIG: JSON in base64. */
function readProcessConfig(text: string): z.infer<typeof processConfig> {
  try {
    return processConfig.parse(JSON.parse(Buffer.from(text, "base64").toString("utf8")) as unknown);
  } catch (error) {
    throw new UsageError(
      `ENCORE_PROCESS_CONFIG must be {"hosted_services": […], "hosted_gateways": […], "local_service_ports": {…}} as JSON in base64: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function checkNames(key: string, names: string[], model: AppModel): void {
  const unknown = names.filter((name) => !model.services.some((service) => service.name === name));
  if (unknown.length)
    throw new InfraError(
      `${key} names ${unknown.join(", ")}: the app's services are ${model.services.map(({ name }) => name).join(", ")}`,
    );
}

/** The gateway stays unless `hosted_gateways` is an empty list: an app that lost its authentication by a forgotten key would be the worse surprise. */
function fromInfra(config: InfraConfig | undefined, model: AppModel): Hosting {
  checkNames("hosted_services of the infra config", config?.hostedServices ?? [], model);
  checkNames("service_discovery of the infra config", Object.keys(config?.peers ?? {}), model);
  return {
    ...(config?.hostedServices ? { hostedServices: config.hostedServices } : {}),
    hostsGateway: config?.hostedGateways === undefined || config.hostedGateways.length > 0,
    ...(config?.peers ? { peers: config.peers } : {}),
    ...(config?.serviceKeys ? { serviceKeys: config.serviceKeys } : {}),
  };
}

/** @throws InfraError, UsageError naming what is wrong */
export function hostingOf(config: InfraConfig | undefined, model: AppModel, env: NodeJS.ProcessEnv): Hosting {
  const hosting = fromInfra(config, model);
  if (!env.ENCORE_PROCESS_CONFIG) return hosting;
  const {
    hosted_services: services,
    hosted_gateways: gateways,
    local_service_ports: ports,
  } = readProcessConfig(env.ENCORE_PROCESS_CONFIG);
  checkNames("ENCORE_PROCESS_CONFIG", [...services, ...Object.keys(ports)], model);
  const [key] = hosting.serviceKeys ?? [];
  if (!key && Object.keys(ports).length)
    throw new UsageError(
      "ENCORE_PROCESS_CONFIG names services of other processes: give all of them the same `auth` in their infra configs",
    );
  const peers = { ...hosting.peers };
  for (const [name, port] of Object.entries(ports)) if (key) peers[name] = { baseUrl: `http://127.0.0.1:${port}`, key };
  return { ...hosting, hostedServices: services, hostsGateway: gateways.length > 0, peers };
}
