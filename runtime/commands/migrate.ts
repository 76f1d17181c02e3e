// `groundwork migrate up | status`: the same runner as at start, by hand or from a deployment job.
import { join } from "node:path";
import { migrationStatus, startInfra } from "../infra";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import { say } from "./console";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";
import { migrateAll } from "./serve";

export async function migrateCommand({ flags, words, env }: CommandInput): Promise<void> {
  const [action] = words;
  if (action !== "up" && action !== "status")
    throw new UsageError("say what to do: `groundwork migrate up` or `groundwork migrate status`");
  const root = findAppRoot(flags.app);
  const { model } = await parseForCommand(root);
  const infra = await startInfra({ appRoot: root, stateDir: stateDirOf(root, env), env, model, log: say });
  try {
    if (action === "up") await migrateAll(root, model, infra.databases);
    for (const database of model.databases) {
      const target = infra.databases[database.name];
      if (!database.migrationsDir || !target) continue;
      const rows = await migrationStatus(target.url, join(root, database.migrationsDir));
      for (const row of rows) say(`${database.name}  ${row.applied ? "applied" : "pending"}  ${row.file}`);
    }
  } finally {
    await infra.stop();
  }
}
