// The classes of the native module behind encore.dev/storage/sqldb (contract 7.1, 13.3).
import { type Argument, toArguments } from "./arguments";
import { rowDecoder, type DecodeContext, type RowDecoder } from "./decode";
import { nativeError } from "./errors";
import { connectionClosed, type Lane } from "./lane";
import type { Database } from "./database";
import type { RawRow, Statement } from "./statement";

const rustName = (value: unknown): string =>
  value === null
    ? "Null"
    : value === undefined
      ? "Undefined"
      : `${(typeof value).charAt(0).toUpperCase()}${(typeof value).slice(1)} ${String(value)} `;

function checkText(sql: unknown): string {
  if (typeof sql === "string") return sql;
  throw nativeError(
    `Failed to convert JavaScript value \`${rustName(sql)}\` into rust type \`String\``,
    "StringExpected",
  );
}

/** Parameters of one statement; used once (D-1). */
export class QueryArgs {
  #values: Argument[] | undefined;

  /** @throws an `InvalidArg` error for a value no column can hold */
  constructor(params: unknown[]) {
    this.#values = toArguments(params);
  }

  static take(args: QueryArgs): Argument[] {
    const values = args.#values;
    if (!values) throw nativeError("query arguments already used");
    args.#values = undefined;
    return values;
  }
}

export class Row {
  constructor(
    private readonly raw: RawRow,
    private readonly decode: RowDecoder,
  ) {}

  /** @throws when a column cannot be read */
  values(): Record<string, unknown> {
    return this.decode(this.raw);
  }
}

/** A cursor that is forgotten lets the connection go on. */
const forgotten = new FinalizationRegistry<Statement>((statement) => statement.abandon());

export class Cursor {
  #decode: RowDecoder | undefined;

  constructor(
    private readonly statement: Statement,
    private readonly context: DecodeContext,
  ) {
    forgotten.register(this, statement);
  }

  async next(): Promise<Row | null> {
    const raw = await this.statement.next();
    if (!raw) return null;
    return new Row(raw, (this.#decode ??= rowDecoder(this.statement.columns, this.context)));
  }
}

async function firstRow(cursor: Promise<Cursor>): Promise<Row | null> {
  return (await cursor).next();
}

export class SqlDatabase {
  constructor(private readonly database: Database) {}

  // The checks throw before anything is awaited, as the native binding's conversions do.
  query(query: string, args: QueryArgs, _source?: unknown): Promise<Cursor> {
    return this.#run(checkText(query), QueryArgs.take(args));
  }

  queryRow(query: string, args: QueryArgs, source?: unknown): Promise<Row | null> {
    return firstRow(this.query(query, args, source));
  }

  async #run(sql: string, values: Argument[]): Promise<Cursor> {
    const lane = await this.database.lane();
    try {
      return new Cursor(await lane.query(sql, values), this.database.context);
    } finally {
      void lane.release();
    }
  }

  async begin(_source?: unknown): Promise<Transaction> {
    const lane = await this.database.lane();
    try {
      await lane.command("BEGIN");
    } catch (error) {
      void lane.release();
      throw error;
    }
    return new Transaction(lane, this.database);
  }

  async acquire(): Promise<SqlConn> {
    return new SqlConn(await this.database.lane(), this.database);
  }

  connString(): string {
    return this.database.url;
  }
}

/** Connections whose owner was forgotten with work open. */
const leaked = new FinalizationRegistry<{ lane: Lane; warn: () => void }>(({ lane, warn }) => {
  warn();
  lane.hurry();
  void lane.release();
});

export class SqlConn {
  #lane: Lane | undefined;

  constructor(
    lane: Lane,
    private readonly database: Database,
  ) {
    this.#lane = lane;
    leaked.register(this, { lane, warn: () => undefined }, this);
  }

  query(query: string, args: QueryArgs, _source?: unknown): Promise<Cursor> {
    return this.#run(checkText(query), QueryArgs.take(args));
  }

  queryRow(query: string, args: QueryArgs, source?: unknown): Promise<Row | null> {
    return firstRow(this.query(query, args, source));
  }

  async #run(sql: string, values: Argument[]): Promise<Cursor> {
    if (!this.#lane) throw connectionClosed();
    return new Cursor(await this.#lane.query(sql, values), this.database.context);
  }

  /** Gives the connection back; what it had set does not reach the next user. */
  async close(): Promise<void> {
    const lane = this.#lane;
    if (!lane) return;
    this.#lane = undefined;
    leaked.unregister(this);
    lane.hurry();
    await lane.release();
  }
}

const transactionClosed = (): Error => nativeError("transaction closed");

export class Transaction {
  #lane: Lane | undefined;

  constructor(
    lane: Lane,
    private readonly database: Database,
  ) {
    this.#lane = lane;
    leaked.register(this, { lane, warn: () => database.log.warn("transaction not completed, forcing rollback") }, this);
  }

  query(query: string, args: QueryArgs, _source?: unknown): Promise<Cursor> {
    return this.#run(checkText(query), QueryArgs.take(args));
  }

  async #run(sql: string, values: Argument[]): Promise<Cursor> {
    if (!this.#lane) throw transactionClosed();
    return new Cursor(await this.#lane.query(sql, values), this.database.context);
  }

  /** @throws when an earlier error had aborted the transaction, so that nothing was committed */
  async commit(_source?: unknown): Promise<void> {
    if ((await this.#end("COMMIT")) === "ROLLBACK") {
      throw nativeError("transaction was not committed: an earlier statement had failed, so it was rolled back");
    }
  }

  async rollback(_source?: unknown): Promise<void> {
    await this.#end("ROLLBACK");
  }

  async #end(command: "COMMIT" | "ROLLBACK"): Promise<string> {
    const lane = this.#lane;
    if (!lane) throw transactionClosed();
    this.#lane = undefined;
    leaked.unregister(this);
    try {
      return await lane.command(command);
    } finally {
      void lane.release();
    }
  }
}
