// The listening half: startup, password, cutting messages into units, and the answer to everything that is
// not a query. Any Postgres driver can connect.
import { createHash, randomInt, timingSafeEqual } from "node:crypto";
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Engine } from "./engine";
import {
  cancelRequestCode,
  code,
  cstring,
  errorResponse,
  frame,
  FrameReader,
  gssRequestCode,
  int32,
  readyIdle,
  sslRequestCode,
  startupParameters,
} from "./frames";
import { ownerName } from "./names";
import type { Scheduler } from "./scheduler";
import { Session } from "./session";

export interface Database {
  engine: Engine;
  scheduler: Scheduler;
}

export interface ServerOptions {
  /** Asked for at TCP connections, by user; the Unix socket is guarded by its folder's mode. */
  passwords?: Record<string, string>;
  /** The database of that name, or undefined when there is none. */
  open(name: string): Promise<Database | undefined>;
}

const Terminate = code("X");
const Password = code("p");
const maxStartupBytes = 10_000;

const authenticationOk = frame("R", int32(0));
const askPassword = frame("R", int32(3));
const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** From accepting a socket to handing over a session. States: startup → (password →) open. */
class Connection {
  #startup: Buffer | undefined = Buffer.alloc(0);
  #frames = new FrameReader();
  #parameters = new Map<string, string>();
  #database: Database | undefined;
  #session: Session | undefined;
  #waiting = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: ServerOptions,
  ) {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (this.#session) this.#database?.scheduler.remove(this.#session);
    });
  }

  #take(chunk: Buffer): void {
    try {
      if (this.#startup) this.#takeStartup(chunk);
      else this.#takeMessages(chunk);
    } catch (error) {
      this.#refuse("08P01", `protocol violation: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #refuse(sqlState: string, message: string): void {
    this.socket.end(errorResponse("FATAL", sqlState, message));
  }

  #takeStartup(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#startup ?? Buffer.alloc(0), chunk]);
    this.#startup = bytes;
    if (bytes.length < 8) return;
    const length = bytes.readInt32BE(0);
    if (length < 8 || length > maxStartupBytes) return this.#refuse("08P01", `startup packet of ${length} bytes`);
    if (bytes.length < length) return;
    const request = bytes.readInt32BE(4);
    const rest = bytes.subarray(length);
    if (request === cancelRequestCode) return void this.socket.end();
    if (request === sslRequestCode || request === gssRequestCode) {
      this.#startup = Buffer.alloc(0);
      this.socket.write("N");
      if (rest.length) this.#takeStartup(rest);
      return;
    }
    const parameters = startupParameters(bytes.subarray(0, length));
    if (!parameters) return this.#refuse("0A000", "only protocol version 3 is spoken here");
    this.#startup = undefined;
    this.#parameters = parameters;
    if (this.options.passwords === undefined) void this.#open();
    else this.socket.write(askPassword);
    if (rest.length) this.#takeMessages(rest);
  }

  #takeMessages(chunk: Buffer): void {
    for (const message of this.#frames.read(chunk)) {
      if (message.type === Terminate) return void this.socket.end();
      if (this.#session && this.#database) {
        const unit = this.#session.take(message);
        if (unit) this.#database.scheduler.submit(unit);
      } else if (message.type === Password && !this.#waiting) this.#checkPassword(cstring(message.bytes, 5).text);
      else return this.#refuse("08P01", "a message came before the connection was ready");
    }
  }

  get #user(): string {
    return this.#parameters.get("user") ?? "";
  }

  #checkPassword(given: string): void {
    const wanted = new Map(Object.entries(this.options.passwords ?? {})).get(this.#user);
    if (wanted !== undefined && timingSafeEqual(digest(given), digest(wanted))) void this.#open();
    else this.#refuse("28P01", `password authentication failed for user "${this.#user}"`);
  }

  async #open(): Promise<void> {
    this.#waiting = true;
    const name = this.#parameters.get("database") ?? this.#user;
    const database = await this.options.open(name).catch((error: unknown) => error as Error);
    if (database instanceof Error)
      return this.#refuse("XX000", `database "${name}" could not be opened: ${database.message}`);
    if (!database) return this.#refuse("3D000", `database "${name}" does not exist`);
    if (this.socket.destroyed) return;
    const session = new Session(
      (bytes) => void (this.socket.writable && this.socket.write(bytes)),
      () => this.socket.end(),
      // Any other name is the app, the one with fewer rights: so does Encore's proxy, and passwords tell who is who where there are any.
      this.#user === ownerName ? "owner" : "app",
    );
    session.settings = startupSettings(this.#parameters.get("options") ?? "");
    this.#database = database;
    this.#session = session;
    database.scheduler.add(session);
    const key = frame("K", int32(session.id), int32(randomInt(2 ** 31)));
    this.socket.write(Buffer.concat([authenticationOk, database.engine.greeting, key, readyIdle]));
  }
}

/** `-c name=value` pairs of the startup parameter `options`; a backslash keeps a space. */
export function startupSettings(options: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [, name, value] of options.matchAll(/(?<!\S)(?:-c\s*|--)(\w[\w.-]*)=((?:\\.|[^\s\\])*)/g)) {
    settings.set((name ?? "").replaceAll("-", "_"), (value ?? "").replace(/\\(.)/g, "$1"));
  }
  return settings;
}

/** Port 0 is any free one. */
export type Listen = { socket: string } | { host: string; port: number };

/** Listens; resolves with the port of a TCP server, 0 for a Unix socket. */
export async function listen(where: Listen, options: ServerOptions): Promise<{ server: Server; port: number }> {
  if ("socket" in where) rmSync(where.socket, { force: true }); // left by a process that was killed
  const server = createServer((socket) => new Connection(socket, options));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    if ("socket" in where) server.listen(where.socket, resolve);
    else server.listen(where.port, where.host, resolve);
  });
  if ("socket" in where) chmodSync(where.socket, 0o600);
  const address = server.address();
  return { server, port: address !== null && typeof address === "object" ? address.port : 0 };
}
