// What waits in the queues of jobs.
import { api } from "encore.dev/api";
import { readGauge } from "../../telemetry/metrics";
import { createShared } from "../../telemetry/shared-look";
import { backlogs } from "../problems";

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
    const readings = await depths();
    if (readings === undefined) return {};
    const [waiting, active, delayed] = [
      backlogs(readings),
      backlogs(readings, ["active"]),
      backlogs(readings, ["delayed"]),
    ];
    const found = [...waiting].map(([name, count]) => {
      return { name, waiting: count, active: active.get(name) ?? 0, delayed: delayed.get(name) ?? 0 };
    });
    return { queues: found.sort((a, b) => a.name.localeCompare(b.name)) };
  },
);

const KEPT_MS = 2_000;

/** One look for all who watch: it asks every queue. */
const depths = createShared(() => readGauge("queue_depth"), KEPT_MS);
