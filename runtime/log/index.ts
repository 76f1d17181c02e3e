// Log lines of the app and of the host (contract 9.5): one format, one sink, two thresholds.
import type { HostConfig } from "../config";
import type { HostLog } from "../host";
import { Logger } from "./logger";
import { formatConsole, formatGoogle, formatJson, type Format } from "./format";
import { LogLevel, silent, thresholdFrom } from "./levels";
import { standardError, type Sink } from "./sink";
import { keepLines } from "./kept-lines";
import { createWriter, type LineWriter } from "./writer";

export type LogConfig = Pick<HostConfig, "appRoot" | "environment" | "logFormat" | "logLevel"> & { stateDir?: string };

function formatFor(config: LogConfig, env: NodeJS.ProcessEnv): Format {
  if (config.logFormat === "console") return formatConsole;
  const cloud = env.ENCORE_CLOUD_PROVIDER ?? config.environment.cloud;
  return cloud === "gcp" || cloud === "encore" ? formatGoogle : formatJson;
}

function hostLogOn(writer: LineWriter, threshold: number): HostLog {
  const line = (level: LogLevel, message: string, fields?: Record<string, unknown>, error?: unknown): void => {
    if (level >= threshold) writer.write({ level, message, fields, error });
  };
  return {
    debug: (message, fields) => line(LogLevel.Debug, message, fields),
    info: (message, fields) => line(LogLevel.Info, message, fields),
    warn: (message, fields) => line(LogLevel.Warn, message, fields),
    error: (message, error, fields) => line(LogLevel.Error, message, fields, error),
    prepareInfo: (message, fixed, names) =>
      LogLevel.Info >= threshold ? writer.prepare({ level: LogLevel.Info, message, fixed, names }) : null,
  };
}

/** In development lines are kept for `groundwork trace` too. */
function sinkFor({ environment, stateDir }: LogConfig, sink: Sink): Sink {
  if (environment.type !== "development" || stateDir === undefined) return sink;
  const keep = keepLines(stateDir);
  return {
    write(line) {
      sink.write(line);
      keep(line);
    },
  };
}

/**
 * The root logger that the SDK uses and the host's own log.
 * `env` gives the filters of X-43: ENCORE_LOG (the app's lines), ENCORE_RUNTIME_LOG or RUST_LOG (the host's),
 * ENCORE_NOLOG, ENCORE_LOG_INCLUDE_ERROR_STACK.
 */
export function createLogger(
  config: LogConfig,
  env: NodeJS.ProcessEnv = process.env,
  sink: Sink = standardError(),
): { logger: Logger; hostLog: HostLog } {
  const nothing = Boolean(env.ENCORE_NOLOG);
  const writer = createWriter({
    format: formatFor(config, env),
    sink: sinkFor(config, sink),
    appRoot: config.appRoot,
    stacks: config.environment.cloud === "local" || Boolean(env.ENCORE_LOG_INCLUDE_ERROR_STACK),
    now: Date.now,
  });
  const appThreshold = nothing ? silent : thresholdFrom(env.ENCORE_LOG ?? config.logLevel, "trace");
  const hostThreshold = nothing ? silent : thresholdFrom(env.ENCORE_RUNTIME_LOG ?? env.RUST_LOG, "info");
  return { logger: new Logger(writer, appThreshold), hostLog: hostLogOn(writer, hostThreshold) };
}
