// dist/initial-database/: what initdb makes of an empty folder, made once. Every new embedded database starts as a copy of it, because initdb
// in WebAssembly takes seconds and half a gigabyte, and this makes every first start, template of tests and machine pay neither.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Whatever a data folder depends on: the engine's version and how we call it. */
function keyOf(root) {
  const hash = createHash("sha256");
  for (const file of ["node_modules/@electric-sql/pglite/package.json", "runtime/infra/embedded/engine.ts"])
    hash.update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

/** Makes it unless it is there. Beside its place and renamed, so what stands there is whole. */
export function makeInitialDatabase(root) {
  const folder = join(root, "dist", "initial-database");
  const keyFile = join(folder, "key");
  const key = keyOf(root);
  if (existsSync(keyFile) && readFileSync(keyFile, "utf8") === key) return;
  rmSync(folder, { recursive: true, force: true });
  const draft = `${folder}.${process.pid}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  const errand = { initialise: { dataDir: join(draft, "data"), name: "postgres" } };
  const made = spawnSync(process.execPath, [join(root, "dist", "embedded-postgres.js"), JSON.stringify(errand)], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (made.status !== 0) throw new Error(`making dist/initial-database failed (${made.signal ?? made.status})`);
  writeFileSync(join(draft, "key"), key);
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(keyFile)) throw error; // else another process made it meanwhile
  }
}
