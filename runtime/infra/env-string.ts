// A text of an infra config that may stand in an environment variable instead (12.3: EnvString).
import { z } from "zod";
import { InfraError } from "./errors";

export const envString = z.union([z.string(), z.object({ $env: z.string() })]);
export type EnvString = z.infer<typeof envString>;

export type Env = Record<string, string | undefined>;

/** @throws InfraError naming a variable that is not set */
export function resolve(value: EnvString, env: Env): string {
  if (typeof value === "string") return value;
  const found = env[value.$env];
  if (found === undefined) throw new InfraError(`infra config: the environment variable ${value.$env} is not set`);
  return found;
}
