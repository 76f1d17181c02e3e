// `groundwork restore FILE`: a backup into an empty installation, or with `--overwrite` over what is there. The app must not run.
import { resolve } from "node:path";
import { restoreBackup } from "../backup";
import { startInfra } from "../infra";
import { UsageError } from "./app-root";
import { contentText, progressLines } from "./backup-output";
import type { CommandInput } from "./command-input";
import { dim, say } from "./console";
import { type Installation, storesOf, targetsOf } from "./installation";
import { migrateOptions } from "./serve";

export async function restoreCommand(input: CommandInput, installation: Installation): Promise<void> {
  const { env, flags } = input;
  const [word, ...more] = input.words;
  if (word === undefined || more.length > 0)
    throw new UsageError("name the file of a backup: `groundwork restore backup-2026-11-30.tar.gz`");
  const { root, stateDir, model } = installation;
  const log = (line: string): void => say(dim(`  ${line}`));
  const infra = await startInfra({ appRoot: root, stateDir, env, model, log, isRestore: true });
  const { stores, close } = storesOf(installation, env);
  try {
    const summary = await restoreBackup({
      databases: targetsOf(installation, infra),
      stores,
      file: resolve(word),
      overwrite: flags.overwrite ?? false,
      migrateOptions: migrateOptions(infra, env),
      progress: progressLines(),
      log,
    });
    say(`✓ restored as of ${summary.createdAt}: ${contentText(summary.rows, summary.objects)}`);
    if (summary.migrated.length > 0) say(dim(`  and migrated from there on: ${summary.migrated.join(", ")}`));
    say(
      dim(
        "  every table and object was read back and has the checksum that it had. Start the app with the secrets of then.",
      ),
    );
  } finally {
    await close();
    await infra.stop();
  }
}
