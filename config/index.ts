// The typed configuration: the only place of the app that reads the environment. Importing it with a
// broken environment throws a ConfigError that lists every problem, so the app does not boot.
import { existsSync } from "node:fs";
import { join } from "node:path";

import { Flags } from "./flags";
import { parseConfig, type FrozenConfig } from "./schema";

export { ConfigError, type Config, type ConfigProblem, type Environment, type FrozenConfig } from "./schema";

loadDotEnv();

export const cfg: FrozenConfig = parseConfig(process.env);

/** The flags of this process; `flags.overrideRemotely(…)` plugs a flag service in. */
export const flags = new Flags(cfg.flags);

/** In development a `.env` in the working directory fills in what the environment leaves open. */
function loadDotEnv(): void {
  const isDevelopment = (process.env.NODE_ENV ?? "development") === "development";
  const file = join(process.cwd(), ".env");
  if (isDevelopment && existsSync(file)) process.loadEnvFile(file);
}
