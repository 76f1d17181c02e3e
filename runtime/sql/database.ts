// One of the app's databases: its pool, made at the first use (D-10), and what its connections learn of types.
import pg from "pg";
import type { Host, HostLog } from "../host";
import { dropWhenSilent } from "../silent-connection";
import type { DecodeContext } from "./decode";
import { nativeError } from "./errors";
import { type DatabaseTypes, Lane } from "./lane";
import { ParameterTypes } from "./parameter-types";
import { TypeCatalog } from "./pg-types";

const defaultMaxConnections = 30;
const acquireTimeoutMs = 30_000;
const idleTimeoutMs = 60_000;
/**
 * How long a server may say nothing about a statement. The official runtime has no such limit: it is longer than any statement is
 * meant to take, and ends those whose server hangs. Where its host or the network is gone, TCP tells after some minutes.
 */
const silenceLimitMs = 60 * 60_000;

export class Database {
  readonly log: HostLog;
  readonly context: DecodeContext;
  readonly #types: DatabaseTypes = { catalog: new TypeCatalog(), parameters: new ParameterTypes() };
  #pool: pg.Pool | undefined;

  constructor(
    readonly name: string,
    private readonly host: Host,
    private readonly silenceMs = silenceLimitMs,
  ) {
    this.log = host.log;
    this.context = { types: this.#types.catalog, newDecimal: (text) => host.newDecimal(text) };
  }

  /** @throws when this process has no such database (D-13) */
  get url(): string {
    const configured = this.host.config.databases[this.name];
    if (!configured) throw nativeError("this database is not configured for use by this process");
    return configured.url;
  }

  #open(): pg.Pool {
    const configured = this.host.config.databases[this.name];
    const pool = new pg.Pool({
      connectionString: this.url,
      application_name: "encore",
      max: configured?.maxConnections || defaultMaxConnections,
      min: configured?.minConnections ?? 0,
      connectionTimeoutMillis: acquireTimeoutMs,
      idleTimeoutMillis: idleTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: idleTimeoutMs,
      allowExitOnIdle: this.host.testMode,
    });
    // Without a listener, the end of a connection that is in use would end the process; its user learns of it anyway.
    pool.on("connect", (client) => {
      client.on("error", () => undefined);
      dropWhenSilent(client, this.silenceMs);
    });
    pool.on("error", (error) =>
      this.log.warn("an idle database connection ended", { database: this.name, error: error.message }),
    );
    return pool;
  }

  /** A connection of the pool. @throws `timeout establishing connection` after 30 s without one */
  async lane(): Promise<Lane> {
    this.#pool ??= this.#open();
    const client = await this.#pool.connect().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      throw nativeError(
        /timeout/i.test(message) ? "timeout establishing connection" : `error connecting to server: ${message}`,
      );
    });
    return new Lane(client, this.#types);
  }

  /** Waits for the connections in use, then ends the pool. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.end();
  }
}
