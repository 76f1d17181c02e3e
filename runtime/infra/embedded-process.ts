// The host's side of the embedded Postgres: starts the process, knows where it listens, stops it.
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostFile } from "../host-files";
import { defaultIdleOwnerMs, type EmbeddedAnswer, type EmbeddedOptions } from "./embedded/options";
import { appName, ownerName } from "./embedded/names";
import { InfraError } from "./errors";

export interface EmbeddedPostgres {
  readonly pid: number;
  /** Connection string of one of its databases, for the app: a role that is neither superuser nor owner of the tables. */
  url(database: string): string;
  /** The same for its superuser, who owns what migrations make. */
  ownerUrl(database: string): string;
  /** Resolves when everything is written out and the process has ended. */
  stop(): Promise<void>;
  /** Settles with a message when the database cannot be kept running. */
  ended: Promise<string>;
}

export interface EmbeddedInput {
  dataDir: string;
  databases: string[];
  /** Force TCP where a Unix socket would do. */
  tcp?: boolean;
  /** The data folder is removed when the process ends. */
  temporary?: boolean;
  /** Milliseconds a transaction may idle while other connections wait; 20 s when not given. */
  idleOwnerMs?: number;
}

/** `sun_path` of the strictest platform, with the socket's own name. */
const maxSocketPath = 100;
const socketName = ".s.PGSQL.5432";
const maxEndings = 3;
const restartWindowMs = 60_000;
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
  options(port: number): Pick<EmbeddedOptions, "listen" | "passwords">;
  url(user: string, database: string, port: number): string;
  cleanUp(): void;
}

function chooseWhere(tcp: boolean): Where {
  const dir = tcp ? undefined : makeSocketDir();
  if (dir) {
    return {
      options: () => ({ listen: { socket: join(dir, socketName) } }),
      url: (user, database) =>
        `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(dir)}&sslmode=disable`,
      cleanUp: () => rmSync(dir, { recursive: true, force: true }),
    };
  }
  const passwords = Object.fromEntries(
    [appName, ownerName].map((user) => [user, randomBytes(18).toString("base64url")]),
  );
  return {
    options: (port) => ({ listen: { host: "127.0.0.1", port }, passwords }),
    url: (user, database, port) =>
      `postgresql://${user}:${passwords[user] ?? ""}@127.0.0.1:${port}/${database}?sslmode=disable`,
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
    child.once("exit", (code, signal) =>
      reject(new InfraError(`the embedded Postgres did not start: it ended with ${signal ?? `code ${code}`}`)),
    );
  });
}

/**
 * Keeps one database process running. A process that ends by itself (an internal error of Postgres) is started
 * again at the same address, so connection pools recover; three times within a minute is given up.
 */
class Supervisor implements EmbeddedPostgres {
  readonly ended: Promise<string>;
  #child: ChildProcess | undefined;
  #port = 0;
  #told = false;
  #exited: Promise<void> = Promise.resolve();
  #endings: number[] = [];
  #giveUp: (message: string) => void = () => undefined;

  constructor(
    private readonly input: EmbeddedInput,
    private readonly where: Where,
  ) {
    this.ended = new Promise((resolve) => (this.#giveUp = resolve));
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  url(database: string): string {
    return this.where.url(appName, database, this.#port);
  }

  ownerUrl(database: string): string {
    return this.where.url(ownerName, database, this.#port);
  }

  async start(): Promise<void> {
    const { dataDir, databases, temporary = false, idleOwnerMs = defaultIdleOwnerMs } = this.input;
    const options: EmbeddedOptions = { dataDir, databases, temporary, idleOwnerMs, ...this.where.options(this.#port) };
    const child = fork(hostFile("embedded-postgres.js"), [JSON.stringify(options)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      execArgv: nodeFlags,
      env: { ...process.env, NODE_OPTIONS: "" },
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once("exit", () => resolve()));
    this.#port = await firstAnswer(child);
    child.channel?.unref();
    child.unref();
    child.once("exit", (code, signal) => void this.#restart(signal ?? `code ${code}`));
  }

  async #restart(how: string): Promise<void> {
    if (this.#told) return;
    const now = Date.now();
    this.#endings = [...this.#endings.filter((at) => now - at < restartWindowMs), now];
    if (this.#endings.length >= maxEndings)
      return this.#giveUp(`the embedded Postgres ended ${maxEndings} times within a minute, last with ${how}`);
    await this.start().catch((error: unknown) => this.#giveUp(error instanceof Error ? error.message : String(error)));
  }

  async stop(): Promise<void> {
    this.#told = true;
    if (this.#child?.connected) this.#child.send("stop");
    this.#child?.ref();
    await this.#exited;
    this.where.cleanUp();
  }
}

/** Starts the process and waits until it answers. @throws InfraError when it does not */
export async function startEmbedded(input: EmbeddedInput): Promise<EmbeddedPostgres> {
  const where = chooseWhere(input.tcp ?? false);
  const supervisor = new Supervisor(input, where);
  try {
    await supervisor.start();
    return supervisor;
  } catch (error) {
    where.cleanUp();
    throw error;
  }
}
