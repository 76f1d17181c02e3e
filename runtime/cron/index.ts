// Cron jobs (contract 9.2). Encore's runtime never runs them; the host does: UTC, one run per tick over
// all replicas, the endpoint called from inside, so that a private one works too.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { HostConfig } from "../config";
import type { Host, Part } from "../host";
import { hostedServices } from "../meta";
import { systemClock, type Clock } from "./clock";
import { LEASE_MS, MemoryLedger, type Ledger } from "./ledger";
import { PostgresLedger } from "./postgres-ledger";
import { parseSchedule } from "./schedule";
import { Scheduler, type ScheduledJob } from "./scheduler";

export type CallEndpoint = (service: string, endpoint: string) => Promise<void>;

/** ioredis is loaded where it is used: an app that has no Redis never needs it. */
async function openLedger(config: HostConfig): Promise<Ledger> {
  const holder = `${hostname()}-${process.pid}-${randomUUID()}`;
  if (config.redisUrl) {
    const { RedisLedger } = await import("./redis-ledger");
    return new RedisLedger(config.redisUrl, config.appId ? `groundwork-${config.appId}` : "groundwork", holder);
  }
  const database = Object.values(config.databases)[0] ?? config.hostDatabase;
  return database ? new PostgresLedger(database.url, holder) : new MemoryLedger();
}

function scheduledJobs(host: Host, call: CallEndpoint): ScheduledJob[] {
  const hosted = new Set(hostedServices(host));
  return host.model.crons
    .filter((cron) => hosted.has(cron.endpoint.service))
    .map(({ id, schedule, endpoint }) => ({
      id,
      next: parseSchedule(schedule),
      run: () => call(endpoint.service, endpoint.name),
    }));
}

/** `GROUNDWORK_CRONS=off` leaves them to somebody else, as `encore run` does. */
const switchedOff = (env: NodeJS.ProcessEnv): boolean => env.GROUNDWORK_CRONS === "off";

export function createCrons(host: Host, call: CallEndpoint, clock: Clock = systemClock): Part {
  let scheduler: Promise<Scheduler> | undefined;
  return {
    name: "crons",
    takesWork: true,
    async start() {
      const jobs = switchedOff(process.env) ? [] : scheduledJobs(host, call);
      if (jobs.length === 0) return;
      scheduler = openLedger(host.config).then(
        (ledger) => new Scheduler({ jobs, ledger, clock, log: host.log, leaseMs: LEASE_MS }),
      );
      await (await scheduler).start();
    },
    async drain() {
      await (await scheduler)?.drain();
    },
  };
}
