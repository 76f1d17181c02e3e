// Where an infra config wants metrics (12.3: `metrics`): by Prometheus remote write. The other kinds are named and refused.
import { z } from "zod";
import type { HostConfig } from "../config";
import { type Env, envString, resolve } from "./env-string";
import { InfraError } from "./errors";

const defaultIntervalSeconds = 60;

/** `collection_interval`: seconds; 0 stands for the default, as officially. */
export const metricsExport = z.looseObject({
  type: z.enum(["prometheus", "datadog", "gcp_cloud_monitoring", "aws_cloudwatch"]),
  collection_interval: z.number().int().nonnegative().nullish(),
  remote_write_url: envString.optional(),
});

/** What takes metrics by remote write and passes them on. */
const remedies: Record<string, string> = {
  datadog: "send to a Datadog agent or an OpenTelemetry collector",
  gcp_cloud_monitoring: "send to Google's Managed Service for Prometheus",
  aws_cloudwatch: "send to Amazon's Managed Service for Prometheus, or to a CloudWatch agent",
};

/** @throws InfraError for a kind that is not built in, or an address that is none */
export function metricsExportOf(
  path: string,
  wanted: z.infer<typeof metricsExport> | null | undefined,
  env: Env,
): Pick<HostConfig, "metricsExport"> {
  if (!wanted) return {};
  if (wanted.type !== "prometheus") {
    throw new InfraError(
      `${path}: metrics of type ${wanted.type} is not supported yet\n  Use type "prometheus" with remote_write_url: ${remedies[wanted.type]} that takes Prometheus remote write.`,
    );
  }
  if (wanted.remote_write_url === undefined) throw new InfraError(`${path}: metrics: remote_write_url is missing`);
  const remoteWriteUrl = resolve(wanted.remote_write_url, env);
  if (!/^https?:$/.test(protocolOf(remoteWriteUrl)))
    throw new InfraError(`${path}: metrics: remote_write_url is no http or https address`);
  return {
    metricsExport: {
      type: "prometheus",
      remoteWriteUrl,
      intervalMs: (wanted.collection_interval || defaultIntervalSeconds) * 1000,
    },
  };
}

function protocolOf(address: string): string {
  try {
    return new URL(address).protocol;
  } catch {
    return "";
  }
}
