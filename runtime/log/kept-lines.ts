// The last lines of an app in development, kept in its state folder for `groundwork trace`: two files that together hold
// at most twice FILE_BYTES_MAX, the older one replaced when the newer is full. Threads and a replaced process of
// `run --watch` append to the same file; whoever finds it full renames it, the others follow at their next look.
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

export const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes after which a writer looks whether the file is full or was renamed. */
const LOOK_EVERY_BYTES = 64 * 1024;

/** The app's own logger finds the function here: it does not import the host. */
export const keepLineKey = Symbol.for("groundwork.keepLine");

/** Newest first. */
export function keptFiles(stateDir: string): string[] {
  return [join(stateDir, "log", "app.jsonl"), join(stateDir, "log", "app.1.jsonl")];
}

export class KeptLines {
  readonly #path: string;
  readonly #older: string;
  #file: number | undefined;
  #sinceLook = LOOK_EVERY_BYTES;
  #batch = "";

  constructor(
    stateDir: string,
    private readonly bytesMax = FILE_BYTES_MAX,
  ) {
    [this.#path, this.#older] = keptFiles(stateDir) as [string, string];
    mkdirSync(join(stateDir, "log"), { recursive: true, mode: 0o700 });
    process.once("exit", () => this.flush());
  }

  /** One line with its newline; written with the others of this turn of the event loop. */
  append(line: string): void {
    if (this.#batch === "") setImmediate(() => this.flush());
    this.#batch += line;
  }

  flush(): void {
    const lines = this.#batch;
    this.#batch = "";
    if (lines === "") return;
    try {
      this.#look();
      this.#sinceLook += writeSync(this.#file!, lines);
    } catch {
      this.#sinceLook = LOOK_EVERY_BYTES;
      this.#file = undefined; // the folder is gone or full: what is kept for a look back must not stop the app
    }
  }

  #look(): void {
    if (this.#file !== undefined && this.#sinceLook < LOOK_EVERY_BYTES) return;
    this.#sinceLook = 0;
    const current = statSync(this.#path, { throwIfNoEntry: false });
    if (current && current.size >= this.bytesMax) renameSync(this.#path, this.#older);
    if (this.#file !== undefined && current?.ino === fstatSync(this.#file).ino && current.size < this.bytesMax) return;
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = openSync(this.#path, "a", 0o600);
  }
}

/** In development: the host's lines and those of an app that looks for the function are kept. */
export function keepLines(stateDir: string): (line: string) => void {
  const kept = new KeptLines(stateDir);
  const keep = (line: string): void => kept.append(line);
  Object.assign(globalThis, { [keepLineKey]: keep });
  return keep;
}
