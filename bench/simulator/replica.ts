// One process of the app: a built copy on plain Node, with wires of its own to the servers and a clock of its own.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Role, ServerName } from "./plan";
import { Wire } from "./wire";

/** Which services each role hosts. The second relay consumes as well, so that events are handed over directly and by the topic. */
const SERVICES: Record<Role, readonly string[]> = {
  api: ["door"],
  relay: ["events", "queues", "sagas"],
  worker: ["crew", "queues"],
  consumer: ["keeper"],
};

/** Settings that differ from the defaults. All times that bound a failure (leases, locks, attempts, delays) are the defaults. */
const SETTINGS = {
  NODE_ENV: "development",
  HOST: "127.0.0.1",
  LOG_LEVEL: "warn",
  ENCORE_RUNTIME_LOG: "error",
  LIMIT_SCALE: "1000000",
  // A commit wakes the relay of its own process only, and none of the API's has one here.
  EVENTS_RELAY_POLL_MS: "100",
  DB_POOL_MAX: "10",
} as const;

const START_LIMIT_MS = 120_000;
const LOOK_MS = 20;

export interface ReplicaPlace {
  /** Of the built app. */
  readonly app: string;
  /** For logs, state and clocks. */
  readonly folder: string;
  readonly clockProgram: string;
  readonly masterKey: string;
  readonly urls: Readonly<Record<ServerName, string>>;
}

export class Replica {
  readonly name: string;
  baseUrl: string | undefined;
  offsetMs = 0;
  private child: ChildProcess | undefined;
  private starts = 0;
  private isOver = false;

  private constructor(
    readonly role: Role,
    number: number,
    private readonly place: ReplicaPlace,
    readonly wires: Readonly<Record<ServerName, Wire>>,
  ) {
    this.name = `${role}-${number}`;
  }

  static async of(role: Role, number: number, place: ReplicaPlace): Promise<Replica> {
    const [postgres, redis] = [await Wire.to(place.urls.postgres), await Wire.to(place.urls.redis)];
    const replica = new Replica(role, number, place, { postgres, redis });
    mkdirSync(replica.folder, { recursive: true });
    return replica;
  }

  private get folder(): string {
    return join(this.place.folder, this.name);
  }

  private get clockFile(): string {
    return join(this.folder, "clock");
  }

  private environment(): NodeJS.ProcessEnv {
    const { urls, clockProgram, masterKey } = this.place;
    const services = [...SERVICES[this.role], ...(this.name === "relay-2" ? ["keeper"] : [])];
    const hosting = { hosted_services: services, hosted_gateways: ["api-gateway"] };
    return {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...SETTINGS,
      DATABASE_URL: this.wires.postgres.through(urls.postgres),
      REDIS_URL: this.wires.redis.through(urls.redis),
      MasterKey: masterKey,
      GROUNDWORK_STATE_DIR: this.folder,
      ENCORE_PROCESS_CONFIG: Buffer.from(JSON.stringify(hosting)).toString("base64"),
      NODE_OPTIONS: `--import ${clockProgram}`,
      SIMULATOR_CLOCK_FILE: this.clockFile,
      PORT: "0",
    };
  }

  /** Resolves when it serves. With `isAgain`, as a supervisor would, starts it anew when it ends before: a server may be away. */
  async start(offsetMs: number, isAgain = false): Promise<void> {
    this.offsetMs = offsetMs;
    writeFileSync(this.clockFile, String(offsetMs));
    const until = performance.now() + START_LIMIT_MS;
    while (this.baseUrl === undefined && !this.isOver) {
      const logFile = join(this.folder, `log-${++this.starts}`);
      this.baseUrl = await this.addressIn(logFile, this.spawn(logFile), until);
      if (this.baseUrl === undefined && !isAgain)
        throw new Error(`${this.name} ended before it served:\n${readFileSync(logFile, "utf8").slice(-4_000)}`);
    }
  }

  private spawn(logFile: string): ChildProcess {
    const log = openSync(logFile, "w");
    const child = spawn(process.execPath, [join(this.place.app, "host", "start.js")], {
      cwd: this.place.app,
      stdio: ["ignore", log, log],
      env: this.environment(),
    });
    closeSync(log);
    this.child = child;
    return child;
  }

  /** Undefined when it ended before it served. */
  private async addressIn(logFile: string, child: ChildProcess, until: number): Promise<string | undefined> {
    for (;;) {
      const text = readFileSync(logFile, "utf8");
      const address = /serving (http:\/\/\S+)/.exec(text)?.[1];
      if (address !== undefined) return address;
      if (performance.now() > until) throw new Error(`${this.name} does not start:\n${text.slice(-4_000)}`);
      if (child.exitCode !== null || child.signalCode !== null) return undefined;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = this.baseUrl = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.child?.kill(name);
  }

  stepClock(offsetMs: number): void {
    this.offsetMs = offsetMs;
    writeFileSync(this.clockFile, String(offsetMs));
    // One that is just starting reads the file, and would be ended by the signal.
    if (this.baseUrl !== undefined) this.child?.kill("SIGUSR2");
  }

  /** Whether it ended by itself, which none may. */
  get hasEnded(): boolean {
    return this.child !== undefined && (this.child.exitCode !== null || this.child.signalCode !== null);
  }

  async end(): Promise<void> {
    this.isOver = true;
    await this.kill();
    await Promise.all(Object.values(this.wires).map((wire) => wire.close()));
  }
}
