// PGlite behind one synchronous-looking call: bytes of client messages in, the server's messages out.
// Memory and boot time decide the options; measured figures stand in docs/adr (embedded Postgres).
import { PGlite, type PGliteOptions } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { code, cstring, FrameReader, int32, simpleQuery, type Frame } from "./frames";
import { appName, ownerName } from "./names";

const startParams = [
  ...PGlite.defaultStartParams,
  ...["shared_buffers=16MB", "max_connections=10", "application_name=encore", 'search_path="$user", public'].flatMap(
    (setting) => ["-c", setting],
  ),
];

/** Small WAL segments: a new data folder is 28 MB instead of 39, and copies of it are made for every test file. */
const initDbStartParams = ["--wal-segsize=1"];

const DataRow = code("D");

export type EngineSource = Pick<PGliteOptions, "dataDir" | "fs" | "fsBundle" | "pgliteWasmModule" | "initdbWasmModule">;
/** Whom the one session acts as: the superuser that owns everything, or the role that an app gets. */
export type Identity = "owner" | "app";

/** Of the superuser that initdb makes. */
const ownerOid = 10;

/**
 * The app's role, as Encore makes it: no superuser, not the tables' owner, reads and writes what row security does not
 * hide, and may make schemas. Said again at each start, so that a folder of an older version has it too.
 */
const makeAppRole = `DO $$ BEGIN
  CREATE ROLE ${appName} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT pg_read_all_data, pg_write_all_data TO ${appName};
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ${appName}', current_database()); END $$;`;

/** Postgres' own function, which the module exports for extensions: who the current user is, and what it may not change. */
interface UserIds {
  _SetUserIdAndSecContext?(userId: number, securityContext: number): void;
}
/** SECURITY_LOCAL_USERID_CHANGE (miscadmin.h): neither `role` nor `session_authorization` can be set, by no way. */
const lockedContext = 1;

export class Engine {
  readonly #db: PGlite;
  #identity: Identity = "owner";
  #appOid = 0;

  private constructor(
    db: PGlite,
    /** ParameterStatus messages that a new connection is told. */
    readonly greeting: Buffer,
  ) {
    this.#db = db;
  }

  /** Opens the database `name` in `dataDir`, which `initialise` has made. */
  static open(dataDir: string, name: string): Promise<Engine> {
    return Engine.openFrom({ dataDir }, name);
  }

  /** The same, from files that are somewhere else than in a folder, or with code that is compiled already. */
  static async openFrom(source: EngineSource, name: string): Promise<Engine> {
    const db = await PGlite.create({ ...source, database: name, extensions: { vector }, startParams });
    const startup = Buffer.concat([int32(196608), Buffer.from("user\0postgres\0database\0postgres\0\0")]);
    const engine = new Engine(db, Buffer.alloc(0));
    const answer = await engine.#exchange(Buffer.concat([int32(startup.length + 4), startup]));
    const parameters = answer.filter((message) => message.type === code("S")).map((message) => message.bytes);
    const opened = new Engine(db, Buffer.concat(parameters));
    await opened.#findApp();
    return opened;
  }

  /** Makes the app's role and makes sure that acting as it holds: an engine that could not must not serve. */
  async #findApp(): Promise<void> {
    await this.run(simpleQuery(makeAppRole));
    const [[oid] = []] = await this.ask(`SELECT oid FROM pg_catalog.pg_roles WHERE rolname = '${appName}'`);
    this.#appOid = Number(oid);
    await this.become("app");
    await this.run(simpleQuery(`SET SESSION AUTHORIZATION ${ownerName}`));
    const [[name] = []] = await this.ask("SELECT current_user");
    await this.become("owner");
    if (name !== appName) throw new Error("the embedded Postgres does not let go of its superuser's rights");
  }

  /**
   * Whom the statements from now on act as; only outside a transaction. PGlite's session belongs to a superuser, and
   * SET SESSION AUTHORIZATION can be taken back by any statement; what SetUserIdAndSecContext sets can be taken back by none.
   */
  async become(identity: Identity): Promise<void> {
    if (identity === this.#identity) return;
    this.#setUser(ownerOid, 0);
    await this.run(simpleQuery(`SET SESSION AUTHORIZATION ${identity === "app" ? appName : ownerName}`));
    if (identity === "app") this.#setUser(this.#appOid, lockedContext);
    this.#identity = identity;
  }

  /** Does what only the owner may, for whoever has the session. */
  async asOwner<T>(work: () => Promise<T>): Promise<T> {
    if (this.#identity === "owner") return work();
    this.#setUser(ownerOid, 0);
    try {
      return await work();
    } finally {
      this.#setUser(this.#appOid, lockedContext);
    }
  }

  #setUser(userId: number, securityContext: number): void {
    const { _SetUserIdAndSecContext: set } = (this.#db as unknown as { mod?: UserIds }).mod ?? {};
    if (!set) throw new Error("this PGlite does not export SetUserIdAndSecContext");
    set(userId, securityContext);
  }

  /**
   * Makes a data folder whose database is called `name`, or gives that name to a copy of an initial one. Making takes
   * 500 MB that only the end of the process gives back.
   */
  static async initialise(dataDir: string, name: string): Promise<void> {
    const db = await PGlite.create({ dataDir, database: "template1", startParams, initDbStartParams });
    if (name !== "postgres") await db.exec(`ALTER DATABASE postgres RENAME TO "${name.replaceAll('"', '""')}"`);
    await db.close();
  }

  async #exchange(bytes: Uint8Array): Promise<Frame[]> {
    const chunks: Buffer[] = [];
    await this.#db.execProtocolRawStream(bytes, {
      syncToFs: false,
      onRawData: (data) => void chunks.push(Buffer.from(data)),
    });
    return new FrameReader().read(Buffer.concat(chunks));
  }

  /** Runs messages (whole ones) and returns the server's answer. Nothing else runs meanwhile. */
  run(messages: Buffer): Promise<Frame[]> {
    return this.#exchange(messages);
  }

  /** The rows of a simple query; errors are ignored, the answer is then empty. */
  async ask(sql: string): Promise<(string | null)[][]> {
    return rowsOf(await this.run(simpleQuery(sql)));
  }

  /** Releases the memory of a database that nobody wants to keep. */
  discard(): Promise<void> {
    return this.#db.close();
  }

  /** Writes everything out and releases the memory. */
  async close(): Promise<void> {
    await this.#db.exec("CHECKPOINT").catch(() => undefined);
    await this.#db.close();
  }
}

/** The rows among the messages of an answer. */
export const rowsOf = (answer: readonly Frame[]): (string | null)[][] =>
  answer.filter((message) => message.type === DataRow).map((message) => columnsOf(message.bytes));

function columnsOf(row: Buffer): (string | null)[] {
  const columns: (string | null)[] = [];
  let at = 7;
  for (let left = row.readInt16BE(5); left > 0; left--) {
    const length = row.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? null : row.toString("utf8", at, at + length));
    at += Math.max(length, 0);
  }
  return columns;
}

/** Notification as the server sent it, and its channel. */
export function notificationChannel(message: Buffer): string {
  return cstring(message, 9).text;
}

export const commandTag = (message: Buffer): string => cstring(message, 5).text;
