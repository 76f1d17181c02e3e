// What the simulator acts upon: two processes of each role, Postgres and Redis of its own, the other system, and a look at
// the effects by a way that the app has no part in.
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { startBrokers, type TestBrokers } from "../../runtime/pubsub/__tests__/support/brokers";
import { built, simulatedApp } from "./app";
import type { Effect } from "./ledger";
import { Payments } from "./payments";
import { ROLES, type Role, type ServerName } from "./plan";
import { Replica } from "./replica";

const REPLICAS = [1, 2] as const;

export class World {
  readonly replicas = new Map<string, Replica>();
  private observer!: pg.Pool;
  private brokers!: TestBrokers;
  payments!: Payments;
  private readonly folder = mkdtempSync(join(tmpdir(), "gw-simulator-"));
  private copy: string | undefined;

  private constructor() {}

  /** @param offsetFor each replica's clock at its start */
  static async start(name: string, offsetFor: () => number): Promise<World> {
    const world = new World();
    try {
      await world.begin(name, offsetFor);
      return world;
    } catch (error) {
      await world.end();
      throw error;
    }
  }

  private async begin(name: string, offsetFor: () => number): Promise<void> {
    this.brokers = await startBrokers(name);
    if (this.brokers.crashes !== "restarts") throw new Error("the simulator crashes servers, which must be its own");
    this.copy = simulatedApp();
    const app = await built(this.copy);
    this.payments = await Payments.start();
    const urls = { postgres: this.brokers.postgresUrl, redis: this.brokers.redisUrl };
    this.observer = new pg.Pool({ connectionString: urls.postgres, max: 2, connectionTimeoutMillis: 2_000 });
    this.observer.on("error", () => undefined).on("connect", (client) => client.on("error", () => undefined));
    await this.observer.query("alter system set track_commit_timestamp = on");
    await this.crash("postgres");
    const place = {
      ...{ app, folder: this.folder, urls, masterKey: randomBytes(32).toString("base64") },
      clockProgram: join(root, "bench/simulator/clock.mjs"),
    };
    for (const role of ROLES)
      for (const number of REPLICAS) {
        const replica = await Replica.of(role, number, place);
        this.replicas.set(replica.name, replica);
      }
    // The first migrates.
    const [first, ...others] = [...this.replicas.values()];
    await first?.start(offsetFor());
    await Promise.all(others.map((replica) => replica.start(offsetFor())));
  }

  get ledgerFile(): string {
    return join(this.folder, "ledger.jsonl");
  }

  /** Where logs and ledger are while the world is there. */
  get traces(): string {
    return this.folder;
  }

  replica(role: Role, number: number): Replica {
    const found = this.replicas.get(`${role}-${number}`);
    if (found === undefined) throw new RangeError(`there is no ${role}-${number}`);
    return found;
  }

  /** Resolves when the server answers again. */
  crash(server: ServerName): Promise<void> {
    return this.brokers.crash(server);
  }

  async effects(): Promise<Effect[]> {
    const { rows } = await this.observer.query<Effect>(
      `select intent as "subjectOf", what, seq, id::float8 as id,
              extract(epoch from pg_xact_commit_timestamp(e.xmin))::float8 * 1000 as "committedAtMs"
         from (select intent, what, seq, id, xmin from keeper.effect
               union all select intent, what, seq, id, xmin from crew.effect) e`,
    );
    return rows;
  }

  /** What became of any of these intents so far. */
  async effectsOn(intents: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.observer.query<{ what: string }>(
      `select what from keeper.effect where intent = any($1::uuid[])
       union select what from crew.effect where intent = any($1::uuid[])`,
      [intents],
    );
    return new Set(rows.map(({ what }) => what));
  }

  /** Whether nothing is left that could be handed over. Decides when a run may look for the last time, and nothing else. */
  async isEmpty(): Promise<boolean> {
    const { rows } = await this.observer.query("select 1 from events.outbox where published_at is null limit 1");
    return rows.length === 0;
  }

  /** Names of the processes that ended by themselves. */
  get ended(): string[] {
    return [...this.replicas.values()].filter(({ hasEnded }) => hasEnded).map(({ name }) => name);
  }

  say(line: string): void {
    appendFileSync(join(this.folder, "run.log"), `${line}\n`);
  }

  /** Ends every process and server of it. @param keepsTraces leaves logs and ledger where they are */
  async end(keepsTraces = false): Promise<void> {
    await Promise.allSettled([...this.replicas.values()].map((replica) => replica.end()));
    await Promise.allSettled([this.payments?.close(), this.observer?.end()]);
    await this.brokers?.remove();
    if (this.copy !== undefined) rmSync(this.copy, { recursive: true, force: true });
    if (!keepsTraces) rmSync(this.folder, { recursive: true, force: true });
  }
}
