// `groundwork migrate up | status | repair`: the same runner as at start, by hand or from a deployment job.
import { join } from "node:path";
import {
  type Infra,
  InfraError,
  type MigrationFolder,
  type MigrationRow,
  migrationStatus,
  repairMigrations,
  startInfra,
} from "../infra";
import type { AppModel } from "../model";
import { findAppRoot, stateDirOf, UsageError } from "./app-root";
import { say } from "./console";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";
import { migrateAll, migrateOptions } from "./serve";

interface Folder extends MigrationFolder {
  database: string;
}

function foldersOf(root: string, model: AppModel, infra: Infra): Folder[] {
  return model.databases.flatMap(({ name, migrationsDir }) => {
    const target = infra.databases[name];
    return migrationsDir && target
      ? [{ database: name, url: target.ownerUrl ?? target.url, dir: join(root, migrationsDir) }]
      : [];
  });
}

const wrong = ({ state }: MigrationRow): boolean => state === "late" || state === "edited" || state === "removed";

/** @throws InfraError when a file is not what was applied, so that a script sees it by the exit code */
async function printStatus(folders: Folder[]): Promise<void> {
  let mismatches = 0;
  for (const { database, url, dir } of folders) {
    for (const row of await migrationStatus(url, dir)) {
      say(`${database}  ${row.state}  ${row.file}`);
      if (wrong(row)) mismatches++;
    }
  }
  if (mismatches)
    throw new InfraError(
      `${mismatches} of these do not fit the database: \`groundwork migrate up\` says why and what to do`,
    );
}

async function repair(folders: Folder[], files: string[], infra: Infra, env: NodeJS.ProcessEnv): Promise<void> {
  if (files.length === 0)
    throw new UsageError(
      "name the files: `groundwork migrate repair FILE …`, as `groundwork migrate status` shows them",
    );
  await repairMigrations(folders, files, migrateOptions(infra, env));
}

export async function migrateCommand({ flags, words, env }: CommandInput): Promise<void> {
  const [action, ...files] = words;
  if (action !== "up" && action !== "status" && action !== "repair")
    throw new UsageError("say what to do: `groundwork migrate up`, `… status` or `… repair FILE …`");
  const root = findAppRoot(flags.app);
  const { model } = await parseForCommand(root);
  const infra = await startInfra({ appRoot: root, stateDir: stateDirOf(root, env), env, model, log: say });
  try {
    if (action === "up") await migrateAll(root, model, infra, env);
    const folders = foldersOf(root, model, infra);
    if (action === "repair") await repair(folders, files, infra, env);
    await printStatus(folders);
  } finally {
    await infra.stop();
  }
}
