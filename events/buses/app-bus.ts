// The bus of the app: over all replicas where a Redis is configured, else in the process.
import { appMeta } from "encore.dev";
import { cfg } from "../../config";
import { onShutdown } from "../../telemetry/shutdown";
import type { Bus } from "./bus";
import { EventBus } from "./event-bus";
import { RedisStreamBus } from "./redis-stream-bus";

let bus: Bus | undefined;

export function appBus(): Bus {
  if (bus !== undefined) return bus;
  const { appId } = appMeta();
  const prefix = appId === "" ? "groundwork:bus" : `groundwork:bus:${appId}`;
  const made = cfg.redisUrl === undefined ? new EventBus() : new RedisStreamBus(cfg.redisUrl, { prefix });
  onShutdown("bus", () => made.close(), "idle");
  return (bus = made);
}
