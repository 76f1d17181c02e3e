// The host's own variables, read once per command. The app's variables are the app's business (config/).
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { HostConfig } from "../config";
import type { InfraConfig } from "../infra";
import { UsageError } from "./app-root";

/** `--port`, else PORT, else 4000, the port of `encore run`, or 8080, that of its images (B-3). */
export function portFrom(flag: string | undefined, env: NodeJS.ProcessEnv, otherwise = 4000): number {
  const text = flag ?? env.PORT ?? String(otherwise);
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`"${text}" is not a port: give --port or PORT a whole number from 0 (any free port) to 65535`);
  }
  return port;
}

/** `ENCORE_LISTEN_ADDR` wins over the port (H-2); its form is `host:port`. */
export function listenFrom(
  flag: string | undefined,
  env: NodeJS.ProcessEnv,
  otherwise?: number,
): { host: string; port: number } {
  const address = env.ENCORE_LISTEN_ADDR;
  if (flag !== undefined || !address)
    return {
      host: env.HOST ?? (env.NODE_ENV === "production" ? "0.0.0.0" : "127.0.0.1"),
      port: portFrom(flag, env, otherwise),
    };
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port))
    throw new UsageError(`ENCORE_LISTEN_ADDR is "${address}": it must be host:port, for example 0.0.0.0:8080`);
  return { host: address.slice(0, colon) || "0.0.0.0", port };
}

function git(root: string, ...args: string[]): string {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return ""; // not a checkout, or no git: the revision is simply unknown
  }
}

/** Revision of the app's checkout; reading .git/HEAD spares a process at every start. */
export function buildInfo(root: string): HostConfig["build"] {
  if (!existsSync(join(root, ".git"))) return { revision: "", uncommittedChanges: false };
  return { revision: git(root, "rev-parse", "HEAD"), uncommittedChanges: false };
}

/** `package.json#groundwork.edgeHeaders`: headers for every answer, errors included (H-105 has none of the app's). */
export function edgeHeadersOf(root: string): Record<string, string> {
  const file = join(root, "package.json");
  if (!existsSync(file)) return {};
  const parsed = JSON.parse(readFileSync(file, "utf8")) as { groundwork?: { edgeHeaders?: Record<string, string> } };
  return parsed.groundwork?.edgeHeaders ?? {};
}

export const truthy = (text: string | undefined): boolean => text !== undefined && text !== "" && text !== "0";

const environmentTypes = ["production", "development", "ephemeral", "test"] as const;

/** `GROUNDWORK_ENV_TYPE`, else what the infra config says, else production when NODE_ENV says so, else development. */
export function environmentOf(
  env: NodeJS.ProcessEnv,
  metadata: InfraConfig["metadata"] = {},
): HostConfig["environment"] {
  const named =
    env.GROUNDWORK_ENV_TYPE ?? metadata.env_type ?? (env.NODE_ENV === "production" ? "production" : "development");
  const type = environmentTypes.find((t) => t === named);
  if (!type)
    throw new UsageError(`GROUNDWORK_ENV_TYPE is "${named}": it must be one of ${environmentTypes.join(", ")}`);
  return {
    name: env.GROUNDWORK_ENV_NAME ?? metadata.env_name ?? (type === "development" ? "local" : type),
    type,
    cloud: metadata.cloud ?? "local",
  };
}

export { secretNames } from "../secrets/names";
