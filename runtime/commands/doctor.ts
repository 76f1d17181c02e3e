// `groundwork doctor`: what is wrong with this installation and what to do about it. It exits with 1 when something must be done.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { examine, type Finding, type Patient } from "../doctor";
import { databasesBeside, readInfraConfig } from "../infra";
import type { CommandInput } from "./command-input";
import { bold, dim, say, sayError } from "./console";
import { environmentOf, listenFrom } from "./environment";
import { type Installation, targetsOf } from "./installation";

const imagePort = 8080;

function sayFindings(findings: readonly Finding[]): void {
  for (const { code, severity, what, remedy } of findings) {
    if (severity === "error") sayError(`${what} ${dim(code)}`, remedy);
    else say(`! ${what} ${dim(code)}\n  ${remedy}`);
  }
  const errors = findings.filter(({ severity }) => severity === "error").length;
  if (findings.length === 0) say("✓ nothing is wrong here");
  else say(bold(`${errors} to repair, ${findings.length - errors} to look at`));
}

type Known = Pick<Patient, "databases" | "isRunning">;

/** An embedded database that was never started is nothing wrong. */
async function withDatabases<T>(
  installation: Installation,
  env: NodeJS.ProcessEnv,
  work: (known: Known) => Promise<T>,
): Promise<T> {
  const { root, stateDir, model } = installation;
  const isEmbedded = !env.ENCORE_INFRA_CONFIG_PATH && !env.DATABASE_URL;
  if (isEmbedded && !existsSync(join(stateDir, "postgres"))) return work({ databases: [], isRunning: false });
  const quiet = (): void => undefined;
  const beside = await databasesBeside({
    appRoot: root,
    stateDir,
    env,
    model: () => Promise.resolve(model),
    log: quiet,
  });
  try {
    const isRunning = isEmbedded && beside.isOfRunning === true;
    return await work({ databases: targetsOf(installation, beside), isRunning });
  } finally {
    await beside.stop();
  }
}

export async function doctorCommand({ flags, env }: CommandInput, installation: Installation): Promise<void> {
  const path = env.ENCORE_INFRA_CONFIG_PATH;
  const config = path ? readInfraConfig(path, env) : undefined;
  const redisUrl = config?.redisUrl ?? env.REDIS_URL;
  const findings = await withDatabases(installation, env, (known) =>
    examine({
      ...installation,
      ...known,
      env,
      isProduction: environmentOf(env, config?.metadata).type === "production",
      ...(config ? { config } : {}),
      ...(redisUrl ? { redisUrl } : {}),
      listen: listenFrom(flags.port, env, flags.dir === undefined ? undefined : imagePort),
      nodeVersion: process.versions.node,
      now: () => new Date(),
    }),
  );
  if (flags.json) say(JSON.stringify(findings, null, 2));
  else sayFindings(findings);
  if (findings.some(({ severity }) => severity === "error")) process.exitCode = 1;
}
