// Processes of a test, to be killed, and the file that they all write lines to: what they did, in the order in which
// they did it, however they ended.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

/** @returns the file that `start` takes */
export async function bundleScript(source: string, name: string): Promise<string> {
  const outfile = join(process.cwd(), "node_modules", ".cache", "groundwork-tests", name);
  await build({
    entryPoints: [source],
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile,
    logLevel: "error",
  });
  return outfile;
}

export class Processes {
  readonly #start: () => ChildProcess;
  readonly #running: ChildProcess[];
  readonly #killed = new Set<ChildProcess>();

  /** Starts `count` of them, each with `orders` as JSON in its first argument. */
  constructor(script: string, orders: unknown, count: number) {
    this.#start = () => fork(script, [JSON.stringify(orders)], { stdio: "inherit" });
    this.#running = Array.from({ length: count }, this.#start);
  }

  /** Resolves with the dead one's process id; another has taken its place. */
  async kill(index: number): Promise<number> {
    const victim = this.#running[index];
    if (!victim?.pid) throw new Error(`no process ${index}`);
    this.#killed.add(victim);
    this.check(); // one that has ended by itself ends no second time
    const gone = once(victim, "exit");
    victim.kill("SIGKILL");
    await gone;
    this.#running[index] = this.#start();
    return victim.pid;
  }

  /** The same, by process id. */
  killProcess(pid: number): Promise<number> {
    return this.kill(this.#running.findIndex((one) => one.pid === pid));
  }

  /** Resolves when all of them have said that they are ready. @throws Error when one ends before */
  async ready(): Promise<void> {
    await Promise.all(
      this.#running.map(async (one) => {
        const ended = once(one, "exit").then(([code]) => {
          throw new Error(`a process ended by itself with ${code} before it was ready`);
        });
        ended.catch(() => undefined); // later it is somebody else's matter
        await Promise.race([once(one, "message"), ended]);
      }),
    );
  }

  /** @throws Error when one has ended that was not killed */
  check(): void {
    const ended = this.#running.find((one) => one.exitCode !== null && !this.#killed.has(one));
    if (ended) throw new Error(`a process ended by itself with ${ended.exitCode}`);
  }

  end(): void {
    for (const one of this.#running) one.kill("SIGKILL");
  }
}

/** Reads what was appended since the last look. */
export class Lines {
  readonly #file: string;
  readonly #buffer = Buffer.alloc(1 << 20);
  #offset = 0;
  #rest = "";

  constructor(file: string) {
    this.#file = file;
    writeFileSync(file, "");
  }

  next(): string[] {
    const descriptor = openSync(this.#file, "r");
    let text = this.#rest;
    for (let read = -1; read !== 0; this.#offset += read) {
      read = readSync(descriptor, this.#buffer, 0, this.#buffer.length, this.#offset);
      text += this.#buffer.toString("latin1", 0, read);
    }
    closeSync(descriptor);
    const lines = text.split("\n");
    this.#rest = lines.pop() ?? "";
    return lines;
  }
}
