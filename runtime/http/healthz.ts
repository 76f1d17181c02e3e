// `/__encore/healthz` (H-4): answered for every method, without authentication and CORS.
import type { HostConfig } from "../config";

/** Routes of the host itself. */
export const HOST_PREFIX = "/__encore/";
export const HEALTH_PATH = "/__encore/healthz";

export interface Health {
  status: number;
  body: string;
}

export function health(config: HostConfig, isDraining: boolean): Health {
  const details = {
    app_slug: config.appId,
    env_name: config.environment.name,
    app_revision: config.build.revision,
    encore_compiler: "",
    deploy_id: config.deployId.replace(/^roll_/, ""),
    checks: [],
    enabled_experiments: [],
  };
  const [code, message] = isDraining
    ? ["shutting_down", "Service is shutting down"]
    : ["ok", "Your Encore app is up and running!"];
  return { status: isDraining ? 503 : 200, body: JSON.stringify({ code, message, details }) };
}
