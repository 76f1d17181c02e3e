// What waits in the queues of jobs.
import { api } from "encore.dev/api";
import { readGauge } from "../../telemetry/metrics";

interface QueueDepth {
  /** The job that waits in it, "domain:action". */
  name: string;
  waiting: number;
  active: number;
  delayed: number;
}

interface QueuesResponse {
  /** Those of this process' jobs; absent where the queues do not answer. */
  queues?: QueueDepth[];
}

/** How many jobs wait, run and are delayed, by queue. */
export const queues = api(
  { expose: true, auth: true, method: "GET", path: "/console/api/queues", tags: ["can:operator.system.read"] },
  async (): Promise<QueuesResponse> => {
    const readings = await readGauge("queue_depth");
    if (readings === undefined) return {};
    const found = new Map<string, QueueDepth>();
    for (const { value, labels } of readings) {
      const name = String(labels?.queue ?? "");
      const queue = found.get(name) ?? { name, waiting: 0, active: 0, delayed: 0 };
      found.set(name, queue);
      const state = String(labels?.state ?? "");
      if (state === "waiting" || state === "prioritized") queue.waiting += value;
      else if (state === "active" || state === "delayed") queue[state] += value;
    }
    return { queues: [...found.values()].sort((a, b) => a.name.localeCompare(b.name)) };
  },
);
