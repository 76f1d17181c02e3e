// Template data folders of the embedded Postgres and copies of them.
import {
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { runOnServer } from "./database-url";
import { startEmbedded } from "./embedded-process";
import { migrate } from "./migrations";

const keepUnusedMs = 7 * 24 * 3_600_000;

/** Databases nobody connects to make up half of a data folder. */
const dropUnused = [
  "UPDATE pg_database SET datistemplate = false WHERE datname LIKE 'template%'",
  "DROP DATABASE IF EXISTS template0",
  "DROP DATABASE IF EXISTS template1",
];

/** Templates that no run has used for a week. */
function removeOld(folder: string): void {
  const parent = dirname(folder);
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
    if (
      name.startsWith("test-template-") &&
      name !== basename(folder) &&
      Date.now() - statSync(path).mtimeMs > keepUnusedMs
    )
      rmSync(path, { recursive: true, force: true });
  }
}

/**
 * Makes the folder unless it is there. It is made beside its place and renamed, so what stands there is whole,
 * whoever else makes the same one at the same time.
 */
export async function makeTemplateFolder(
  folder: string,
  database: string,
  migrationsDir: string | undefined,
): Promise<void> {
  if (existsSync(folder)) {
    const now = new Date();
    utimesSync(folder, now, now);
    return;
  }
  const draft = `${folder}.${process.pid}.new`;
  rmSync(draft, { recursive: true, force: true });
  const postgres = await startEmbedded({ dataDir: draft, databases: [database] });
  try {
    if (migrationsDir) await migrate(postgres.ownerUrl(database), migrationsDir, { log: () => undefined });
    for (const statement of dropUnused) await runOnServer(postgres.ownerUrl(database), statement);
  } catch (error) {
    await postgres.stop();
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
  await postgres.stop();
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  removeOld(folder);
}

/** A copy in the folder for temporary files, served by a process that ends with this one and takes the copy along. */
export async function cloneFolder(
  folder: string,
  database: string,
): Promise<{ url: string; ownerUrl: string; drop(): Promise<void> }> {
  const copy = mkdtempSync(join(tmpdir(), "groundwork-clone-"));
  try {
    cpSync(folder, copy, { recursive: true, mode: constants.COPYFILE_FICLONE });
    const postgres = await startEmbedded({ dataDir: copy, databases: [database], temporary: true });
    return { url: postgres.url(database), ownerUrl: postgres.ownerUrl(database), drop: () => postgres.stop() };
  } catch (error) {
    rmSync(copy, { recursive: true, force: true });
    throw error;
  }
}
