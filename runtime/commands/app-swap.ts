// The running app under `run --watch`: one process serves, a second waits with the app's packages loaded. A swap lets
// the waiting one serve and only then ends the other, on the same listening socket (node:cluster, shared), so that no
// request is refused in between. One that ends before it listens leaves the old one alone.
import cluster, { type Worker } from "node:cluster";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AppStart } from "../watch-child";
import { hostFile } from "../host-files";
import { preloadFile } from "./bundle-app";
import { sayError } from "./console";

/** What npm rewrites with every change of the installed packages: a process that loaded older ones is no longer of use. */
const installedFile = (root: string): string => join(root, "node_modules/.package-lock.json");

interface Standby {
  worker: Worker;
  /** Resolves when it can be told what to start: what is sent before is lost. */
  ready: Promise<unknown>;
  installed: number;
}

export class AppSwap {
  #serving: Worker | undefined;
  /** Told to start, not listening yet. */
  #starting: Worker | undefined;
  #standby: Standby | undefined;
  readonly #ending = new Set<Promise<void>>();

  /** @param graceMs how long a process may take to end by itself */
  constructor(
    private readonly root: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly graceMs: number,
  ) {
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({
      exec: hostFile("watch-child.js"),
      args: [hostFile("native.cjs"), preloadFile(root)],
      execArgv: ["--enable-source-maps"],
      cwd: root,
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
  }

  get isServing(): boolean {
    return this.#serving?.isConnected() ?? false;
  }

  /** The port on which the new build serves now; undefined when it ended before it did. */
  async swap(start: AppStart): Promise<number | undefined> {
    const { worker: next, ready } = this.#takeStandby();
    this.#starting = next;
    const served = new Promise<number | undefined>((resolve) => {
      next.once("listening", ({ port }) => resolve(port));
      next.once("exit", () => resolve(undefined));
    });
    await Promise.race([ready, served]);
    if (next.isConnected()) next.send(start);
    const port = await served;
    this.#starting = undefined;
    if (port === undefined) return undefined;
    this.#retire(this.#serving);
    this.#serving = next;
    next.once("exit", (code: number | null) => {
      if (this.#serving !== next) return;
      this.#serving = undefined;
      sayError(`the app ended${code === null ? "" : ` with code ${code}`}`, "the next change starts it again");
    });
    this.#standby = this.#fork();
    return port;
  }

  /** Ends the process that was started and does not listen yet, if there is one: its swap finds nothing. */
  abandon(): void {
    this.#starting?.process.kill("SIGKILL");
  }

  /** Ends every process and waits until they are gone. */
  async close(): Promise<void> {
    this.abandon();
    this.#retire(this.#serving);
    this.#retire(this.#standby?.worker);
    this.#serving = undefined;
    this.#standby = undefined;
    await Promise.all(this.#ending);
  }

  #installed(): number {
    const file = installedFile(this.root);
    return existsSync(file) ? statSync(file).mtimeMs : 0;
  }

  #fork(): Standby {
    const worker = cluster.fork(this.env);
    return {
      worker,
      ready: new Promise((resolve) => void worker.once("message", resolve)),
      installed: this.#installed(),
    };
  }

  #takeStandby(): Standby {
    const found = this.#standby;
    this.#standby = undefined;
    if (found?.worker.isConnected() && found.installed === this.#installed()) return found;
    this.#retire(found?.worker);
    return this.#fork();
  }

  /** Lets a process finish what it has and end. One whose event loop is blocked never hears of it. */
  #retire(worker: Worker | undefined): void {
    if (!worker || worker.isDead()) return;
    const timer = setTimeout(() => worker.process.kill("SIGKILL"), this.graceMs);
    const ended = new Promise<void>((resolve) => {
      worker.once("exit", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
    worker.process.kill("SIGTERM");
  }
}
