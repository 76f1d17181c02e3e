// Who speaks: the OpenTelemetry resource of this process, the same for traces and metrics.
import { hostname } from "node:os";
import { appMeta } from "encore.dev";

import { cfg } from "../config";

/** Resource attributes by their semantic-convention names. */
export function resourceAttributes(): Record<string, string | number> {
  const meta = appMeta();
  return {
    "service.name": cfg.otel.serviceName,
    "service.version": meta.build.revision,
    "deployment.environment.name": meta.environment.name,
    "host.name": hostname(),
    "process.pid": process.pid,
    "telemetry.sdk.language": "nodejs",
  };
}
