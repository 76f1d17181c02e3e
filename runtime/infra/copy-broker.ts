// The test runner's side of the databases for tests, which outlive a test file where several share a process: a copy
// goes with the connection of whoever asked for it. Embedded ones are served by one process per worker (see
// embedded-copies.ts), started when the worker first asks, again when it ended, gone with the runner; native ones are
// made and dropped here.
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostFile } from "../host-files";
import type { CopyAnswer, CopyErrand, CopyRequest, ServedAnswer, Template } from "./copy-errands";
import { NativeCopies } from "./native-copies";

export interface CopyBroker {
  /** Where test files ask; in their environment as GROUNDWORK_TEST_COPIES. */
  path: string;
  /** Ends its processes as a crash would. */
  kill(): void;
  /** Resolves when its processes have ended. */
  stop(): Promise<void>;
}

/** Copies are dropped by hand, see there. */
const nodeFlags = ["--expose-gc", "--max-semi-space-size=2"];

/** `connected` is true for a moment longer than the process lives. */
const isRunning = (child: ChildProcess): boolean => child.connected && !child.killed && child.exitCode === null;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class Broker {
  readonly #processes = new Map<string, ChildProcess>();
  readonly #waiting = new Map<number, Socket>();
  /** Native copies that are being made, wanted or being dropped. */
  readonly #native = new Set<Promise<void>>();
  readonly #nativeCopies = new NativeCopies();
  #lastId = 0;

  #processOf(worker: string): ChildProcess {
    const running = this.#processes.get(worker);
    if (running && isRunning(running)) return running;
    const child = fork(hostFile("embedded-copies.js"), [], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: nodeFlags,
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    this.#processes.set(worker, child);
    child.on("message", ({ id, ...answer }: ServedAnswer) => this.#answer(id, answer));
    child.on("error", () => undefined); // it ended before it was told something; its copies end with it
    return child;
  }

  /** One request a connection, which stays open as long as the copy is wanted. */
  serve(socket: Socket): void {
    let text = "";
    const id = ++this.#lastId;
    this.#waiting.set(id, socket);
    socket.setEncoding("utf8");
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#waiting.delete(id));
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (!text.endsWith("\n")) return;
      const { worker, template } = JSON.parse(text) as CopyRequest;
      if (template.kind === "embedded") return this.#serveEmbedded(id, socket, worker, template);
      const served = this.#serveNative(id, socket, template);
      this.#native.add(served);
      void served.finally(() => this.#native.delete(served));
    });
  }

  #answer(id: number, answer: CopyAnswer): void {
    this.#waiting.get(id)?.write(`${JSON.stringify(answer)}\n`);
  }

  #serveEmbedded(
    id: number,
    socket: Socket,
    worker: string,
    { dir: templateDir, database }: Extract<Template, { kind: "embedded" }>,
  ): void {
    const child = this.#processOf(worker);
    const tell = (errand: CopyErrand): void => void (child.connected && child.send(errand));
    const end = (): void => void socket.destroy();
    child.once("exit", end);
    socket.once("close", () => {
      child.off("exit", end);
      tell({ id, drop: true });
    });
    tell({ id, templateDir, database });
  }

  /** Resolves when the copy is gone. */
  async #serveNative(id: number, socket: Socket, template: Extract<Template, { kind: "native" }>): Promise<void> {
    const closed = new Promise((resolve) => socket.once("close", resolve));
    try {
      const { drop, ...urls } = await this.#nativeCopies.take(template.url);
      this.#answer(id, urls);
      await closed;
      await drop().catch((error: unknown) => process.stderr.write(`a test's database stays: ${messageOf(error)}\n`));
    } catch (error) {
      this.#answer(id, { failed: messageOf(error) });
    }
  }

  kill(): void {
    for (const child of this.#processes.values()) child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    const ended = [...this.#processes.values()]
      .filter((child) => child.exitCode === null && child.signalCode === null)
      .map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#processes.values()) if (child.connected) child.disconnect();
    for (const socket of this.#waiting.values()) socket.destroy();
    await Promise.all([...ended, ...this.#native]);
    await this.#nativeCopies.stop();
  }
}

export async function startCopyBroker(): Promise<CopyBroker> {
  const folder = mkdtempSync(join(tmpdir(), "groundwork-copies-")); // only we can enter it
  const path = process.platform === "win32" ? `\\\\.\\pipe\\${folder.replaceAll("\\", "-")}` : join(folder, "socket");
  const broker = new Broker();
  const server = createServer((socket) => broker.serve(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  server.unref();
  return {
    path,
    kill: () => broker.kill(),
    async stop() {
      server.close();
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
