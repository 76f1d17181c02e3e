// Writes generated files. What stood there before is of no account: broken text, a folder, a link or a file that may not be written.
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

function holds(path: string, contents: string): boolean {
  try {
    return lstatSync(path).isFile() && readFileSync(path, "utf8") === contents;
  } catch {
    return false;
  }
}

/** Makes way for a folder: none of those below `root` may be anything else. */
function makeFolder(root: string, path: string): void {
  if (path !== root && path.startsWith(root)) {
    makeFolder(root, dirname(path));
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false) rmSync(path, { force: true });
  }
  mkdirSync(path, { recursive: true });
}

/** Writes `contents` to `path` below `root`, unless they are there already. */
export function writeGeneratedFile(root: string, path: string, contents: string): void {
  const file = join(root, path);
  if (holds(file, contents)) return;
  if (lstatSync(root, { throwIfNoEntry: false })?.isFile()) rmSync(root);
  makeFolder(root, dirname(file));
  try {
    writeFileSync(file, contents);
  } catch {
    rmSync(file, { recursive: true, force: true });
    writeFileSync(file, contents);
  }
}
