// What `appMeta()` answers, from the host's configuration and the model.
import type { HostConfig } from "../config";
import type { Host } from "../host";
import { CloudProvider, EnvironmentType, type AppMeta } from "./native-classes";

const types: Record<HostConfig["environment"]["type"], EnvironmentType> = {
  production: EnvironmentType.Production,
  development: EnvironmentType.Development,
  ephemeral: EnvironmentType.Ephemeral,
  test: EnvironmentType.Test,
};

const clouds: Record<HostConfig["environment"]["cloud"], CloudProvider> = {
  aws: CloudProvider.AWS,
  gcp: CloudProvider.GCP,
  azure: CloudProvider.Azure,
  encore: CloudProvider.Encore,
  local: CloudProvider.Local,
};

const startedAt = new Date();

/** Names of the services that this process runs; all of the model's when the configuration does not choose. */
export function hostedServices({ config, model }: Pick<Host, "config" | "model">): string[] {
  return config.hostedServices ?? model.services.map((service) => service.name);
}

export function appMeta(host: Host): AppMeta {
  const { appId, apiBaseUrl, environment, build, deployId } = host.config;
  return {
    appId,
    apiBaseUrl,
    environment: { name: environment.name, type: types[environment.type], cloud: clouds[environment.cloud] },
    build: { ...build },
    deploy: {
      id: deployId,
      deployTime: startedAt
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, " UTC"),
      hostedServices: Object.fromEntries(hostedServices(host).map((name) => [name, { name }])),
    },
  };
}
