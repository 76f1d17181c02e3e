// `groundwork backup FILE`: everything that an installation has, in one file. It works beside the running app.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { makeBackup } from "../backup";
import { databasesBeside } from "../infra";
import { UsageError } from "./app-root";
import { contentText, progressLines, sizeText } from "./backup-output";
import type { CommandInput } from "./command-input";
import { dim, say } from "./console";
import { secretNames } from "./environment";
import { type Installation, storesOf, targetsOf } from "./installation";

function fileFrom([word, ...more]: string[]): string {
  if (word === undefined || more.length > 0)
    throw new UsageError("name one file: `groundwork backup backup-2026-11-30.tar.gz`");
  const file = resolve(word);
  if (existsSync(file)) throw new UsageError(`${word} exists already: name a new file, a backup replaces none`);
  return file;
}

/** What a restore needs and this file has not: said each time, because the day it is needed is too late. */
function saySurroundings({ model }: Installation, env: NodeJS.ProcessEnv): void {
  const secrets = secretNames(model);
  if (secrets.length > 0)
    say(
      dim(
        `  not in it: the secrets (${secrets.join(", ")}). What they seal opens with the same ones only: keep them elsewhere.`,
      ),
    );
  if (env.REDIS_URL) say(dim("  not in it: Redis (jobs and messages on their way, caches, counters of limits)"));
  const versioned = model.buckets.filter((bucket) => bucket.versioned).map(({ name }) => name);
  if (versioned.length > 0) say(dim(`  not in it: older versions of objects (${versioned.join(", ")})`));
}

export async function backupCommand(input: CommandInput, installation: Installation): Promise<void> {
  const { env } = input;
  const file = fileFrom(input.words);
  const { root, stateDir, model } = installation;
  const beside = await databasesBeside({ appRoot: root, stateDir, env, model: () => Promise.resolve(model), log: say });
  const { stores, close } = storesOf(installation, env);
  try {
    const summary = await makeBackup({
      app: model.app.id,
      databases: targetsOf(installation, beside),
      stores,
      file,
      now: new Date(),
      progress: progressLines(),
    });
    say(`✓ ${file} (${sizeText(summary.bytes)}): ${contentText(summary.rows, summary.objects)}`);
    saySurroundings(installation, env);
  } finally {
    await close();
    await beside.stop();
  }
}
