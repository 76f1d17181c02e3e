// Sends the metrics to where the infra config says: at once, at every interval, and once more when the process ends, so that its last
// requests are counted too.
import type { HostConfig } from "../config";
import type { Host, Part } from "../host";
import type { Sample } from "./index";
import type { Label } from "./remote-write";

/** What tells this process apart, from the variables that Cloud Run and GKE set; elsewhere officially empty. */
function processLabels({ environment }: HostConfig, env: NodeJS.ProcessEnv): Label[] {
  const onGoogle = environment.cloud === "gcp" || environment.cloud === "encore";
  const service = onGoogle ? (env.K_SERVICE ?? "") : "";
  const revision = onGoogle ? (env.K_REVISION ?? "") : "";
  return [
    ["service_id", service],
    ["revision_id", service && revision.startsWith(`${service}-`) ? revision.slice(service.length + 1) : revision],
    ["instance_id", onGoogle ? (env.K_POD?.split("-").at(-1) ?? "") : ""],
    ["env_name", environment.name],
  ];
}

/** Null when nobody wants the metrics. `env` tells the process apart from its siblings. */
export function createExporter(host: Host, samples: () => Sample[], env: NodeJS.ProcessEnv = process.env): Part | null {
  const target = host.config.metricsExport;
  if (!target || host.testMode) return null;
  const common = processLabels(host.config, env);
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    try {
      const { remoteWrite } = await import("./remote-write"); // loaded by those who export only
      await remoteWrite(target.remoteWriteUrl, samples(), common, Date.now());
    } catch (error) {
      host.log.error("Failed to export metrics to Prometheus", error);
    }
  };
  /** One at a time: a slow receiver skips a turn. */
  const next = (): Promise<void> => (sending ??= send().finally(() => (sending = undefined)));
  return {
    name: "metrics exporter",
    start() {
      void next();
      timer = setInterval(() => void next(), target.intervalMs).unref();
      return Promise.resolve();
    },
    async drain() {
      clearInterval(timer);
      await sending;
      await next();
    },
  };
}
