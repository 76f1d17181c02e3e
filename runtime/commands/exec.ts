// `groundwork exec -- COMMAND`: a command with the app's environment, as `encore exec` gives it (B-43), for
// scripts that import the app's own code.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { databasesBeside, type Infra, startInfra } from "../infra";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import { say } from "./console";
import { listenFrom } from "./environment";
import { makeHostConfig } from "./host-config";
import { hostFile } from "../host-files";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";
import { migrateAll } from "./serve";

/** What shells answer for a command that a signal ended. */
const SIGNAL_BASE = 128;

export async function exec({ flags, rest, env }: CommandInput): Promise<void> {
  const [program, ...args] = rest;
  if (program === undefined) throw new UsageError("no command: `groundwork exec -- node script.js`");
  const root = findAppRoot(flags.app);
  const stateDir = stateDirOf(root, env);
  const app = await parseForCommand(root);
  const options = { appRoot: root, stateDir, env, model: app.model, log: say };
  const infra = flags.beside ? await infraBeside(options) : await startInfra(options);
  try {
    if (!flags.beside) await migrateAll(root, app.model, infra, env);
    const config = makeHostConfig({ root, stateDir, env, app, listen: listenFrom(flags.port, env), infra });
    const child = spawn(program, args, {
      stdio: "inherit",
      env: { ...env, ENCORE_RUNTIME_LIB: hostFile("native.cjs"), GROUNDWORK_HOST_CONFIG: JSON.stringify(config) },
    });
    // The command decides what a signal means; the database ends after it, not before.
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
    process.exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? SIGNAL_BASE + constants.signals[signal ?? "SIGTERM"]));
    });
  } finally {
    await infra.stop();
  }
}

/** Of an app that may be running: only the embedded database cannot be opened a second time. */
async function infraBeside(options: Parameters<typeof startInfra>[0]): Promise<Infra> {
  const { env, model } = options;
  if (env.ENCORE_INFRA_CONFIG_PATH || env.DATABASE_URL) return startInfra(options);
  const redis = env.REDIS_URL ? { redisUrl: env.REDIS_URL } : {};
  return { ...(await databasesBeside({ ...options, model: () => Promise.resolve(model) })), ...redis };
}
