// The host's side of the embedded Postgres: starts the process, knows where it listens, stops it.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostFile } from "../commands/host-files";
import type { EmbeddedAnswer, EmbeddedOptions } from "./embedded/options";
import { InfraError } from "./errors";

export interface EmbeddedPostgres {
  pid: number;
  /** Connection string of one of its databases. */
  url(database: string): string;
  /** Resolves when everything is written out and the process has ended. */
  stop(): Promise<void>;
  /** Settles with a message when the process ends without having been told to. */
  ended: Promise<string>;
}

export interface EmbeddedInput {
  dataDir: string;
  databases: string[];
  /** Force TCP where a Unix socket would do. */
  tcp?: boolean;
  /** The data folder is removed when the process ends. */
  temporary?: boolean;
  /** Flags of the Node process. */
  execArgv?: string[];
}

/** `sun_path` of the strictest platform, with the socket's own name. */
const maxSocketPath = 100;
const socketName = ".s.PGSQL.5432";
const idleOwnerMs = 20_000;
/** The young generation is kept small: most of the memory is Postgres' own, outside the heap. */
const nodeFlags = ["--max-semi-space-size=2"];

/** A folder only we can enter, for the socket; undefined where Unix sockets are not to be had. */
function makeSocketDir(): string | undefined {
  if (process.platform === "win32") return undefined;
  const dir = mkdtempSync(join(tmpdir(), "groundwork-"));
  chmodSync(dir, 0o700);
  if (Buffer.byteLength(join(dir, socketName)) <= maxSocketPath) return dir;
  rmSync(dir, { recursive: true });
  return undefined;
}

interface Where {
  options: Pick<EmbeddedOptions, "listen" | "password">;
  url(database: string, port: number): string;
  cleanUp(): void;
}

function chooseWhere(tcp: boolean): Where {
  const dir = tcp ? undefined : makeSocketDir();
  if (dir) {
    return {
      options: { listen: { socket: join(dir, socketName) } },
      url: (database) => `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(dir)}&sslmode=disable`,
      cleanUp: () => rmSync(dir, { recursive: true, force: true }),
    };
  }
  const password = randomBytes(18).toString("base64url");
  return {
    options: { listen: { host: "127.0.0.1" }, password },
    url: (database, port) => `postgresql://postgres:${password}@127.0.0.1:${port}/${database}?sslmode=disable`,
    cleanUp: () => undefined,
  };
}

function firstAnswer(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("message", (message) => {
      const answer = message as EmbeddedAnswer;
      if ("ready" in answer) resolve(answer.port);
      else reject(new InfraError(`the embedded Postgres did not start: ${answer.failed}`));
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => reject(new InfraError(`the embedded Postgres did not start: it ended with ${signal ?? `code ${code}`}`)));
  });
}

/** Starts the process and waits until it answers. */
export async function startEmbedded(input: EmbeddedInput): Promise<EmbeddedPostgres> {
  const where = chooseWhere(input.tcp ?? false);
  const options: EmbeddedOptions = { dataDir: input.dataDir, databases: input.databases, idleOwnerMs, temporary: input.temporary ?? false, ...where.options };
  const child = fork(hostFile("embedded-postgres.js"), [JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: input.execArgv ?? nodeFlags,
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const exited = new Promise<string>((resolve) => child.once("exit", (code, signal) => resolve(signal ?? `code ${code}`)));
  const port = await firstAnswer(child).catch((error: unknown) => {
    where.cleanUp();
    throw error;
  });
  child.channel?.unref();
  child.unref();
  let told = false;
  return {
    pid: child.pid ?? 0,
    url: (database) => where.url(database, port),
    async stop() {
      told = true;
      if (child.connected) child.send("stop");
      child.ref();
      await exited;
      where.cleanUp();
    },
    ended: exited.then((how) => (told ? new Promise<string>(() => undefined) : `the embedded Postgres ended unexpectedly (${how})`)),
  };
}
