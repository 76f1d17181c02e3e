// Several statements in one round trip. Everything before one Sync of the extended protocol is one implicit
// transaction, so a local setting and the statement it is for need no BEGIN and no COMMIT, and if any of
// them fails none has happened. Statements have no name, or one for their transaction (repeated-statements.ts).
// Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
import pg from "pg";
import type { PoolClient, Submittable } from "pg";
import { toDbError } from "./errors";
import { awaitReset, writeReset } from "./session-reset";

export interface Statement {
  text: string;
  values?: readonly unknown[];
  /** Nobody reads its rows: it is not described, and they come without columns. */
  isBlind?: boolean;
  /** Read by the server under this name, to be bound again. */
  name?: string;
  /** The server has read it under its name. */
  isPrepared?: boolean;
}

export interface StatementResult {
  rows: Record<string, unknown>[];
  /** Rows affected or returned, from the command tag; null where the tag has no number. */
  rowCount: number | null;
  /** First word of the command tag: SELECT, INSERT, COMMIT, ROLLBACK … */
  command: string;
}

/** The part of pg's Connection that a submittable drives. */
interface Wire {
  stream: { cork?(): void; uncork?(): void };
  parse(message: { text: string; name: string }): void;
  bind(message: {
    portal: string;
    statement: string;
    values: readonly unknown[];
    valueMapper: (value: unknown) => unknown;
  }): void;
  describe(message: { type: "P"; name: string }): void;
  execute(message: { portal: string }): void;
  close(message: { type: "S"; name: string }): void;
  sync(): void;
}

interface Field {
  name: string;
  dataTypeID: number;
  format: "text" | "binary";
}

type Parser = (value: string) => unknown;
type Callback = (error: Error | null, results: StatementResult[]) => void;

/** pg's own mapping of JavaScript values to parameters; exported by the package, missing from its types. */
const prepareValue = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils.prepareValue;
const COMMAND_TAG = /^([A-Za-z]+)(?: \d+(?= ))?(?: (\d+))?$/;

class PipelinedStatements implements Submittable {
  private readonly results: StatementResult[] = [];
  private names: string[] = [];
  private parsers: Parser[] = [];
  private rows: Record<string, unknown>[] = [];
  private failure: Error | null = null;
  callback: Callback;

  constructor(
    private readonly statements: readonly Statement[],
    private readonly parserFor: (typeId: number) => Parser,
    /** Names of statements that are over with it. */
    private readonly closes: readonly string[],
    /** Where the connection's use ends with it: called when its own answer is complete. */
    private readonly onEnd: ((hasFailed: boolean, then: () => void) => void) | undefined,
    callback: Callback,
  ) {
    this.callback = callback;
  }

  submit(connection: unknown): Error | undefined {
    const wire = connection as Wire;
    wire.stream.cork?.();
    try {
      for (const { text, values, name = "", isPrepared, isBlind } of this.statements) {
        if (!isPrepared) wire.parse({ text, name });
        wire.bind({ portal: "", statement: name, values: values ?? [], valueMapper: (value) => value });
        if (!isBlind) wire.describe({ type: "P", name: "" });
        wire.execute({ portal: "" });
      }
      for (const name of this.closes) wire.close({ type: "S", name });
      wire.sync();
      if (this.onEnd) writeReset(connection);
    } finally {
      wire.stream.uncork?.();
    }
    return undefined;
  }

  handleRowDescription(message: { fields: Field[] }): void {
    this.names = message.fields.map((field) => field.name);
    this.parsers = message.fields.map((field) => this.parserFor(field.dataTypeID));
  }

  handleDataRow(message: { fields: (string | null)[] }): void {
    if (this.failure) return;
    try {
      this.rows.push(this.readRow(message.fields));
    } catch (error) {
      this.failure = error as Error;
    }
  }

  handleCommandComplete(message: { text: string }): void {
    const tag = COMMAND_TAG.exec(message.text);
    this.finish(tag?.[1] ?? message.text, tag?.[2] === undefined ? null : Number(tag[2]));
  }

  handleEmptyQuery(): void {
    this.finish("", null);
  }

  handleError(error: Error): void {
    this.end(true, () => this.callback(error, []));
  }

  handleReadyForQuery(): void {
    this.end(false, () => this.callback(this.failure, this.results));
  }

  private end(hasFailed: boolean, answer: () => void): void {
    if (this.onEnd) this.onEnd(hasFailed, answer);
    else answer();
  }

  private finish(command: string, rowCount: number | null): void {
    this.results.push({ rows: this.rows, rowCount, command });
    this.rows = [];
    this.names = [];
    this.parsers = [];
  }

  private readRow(values: (string | null)[]): Record<string, unknown> {
    const row: Record<string, unknown> = {};
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      const name = this.names[index];
      const parse = this.parsers[index];
      if (name === undefined || parse === undefined) continue;
      row[name] = value === null || value === undefined ? null : parse(value);
    }
    return row;
  }
}

/** The statement with its values as they travel; encoding them again changes nothing. @throws for a value that has no encoding: a cycle */
export const encoded = (statement: Statement): Statement =>
  statement.values === undefined ? statement : { ...statement, values: statement.values.map(prepareValue) };

/**
 * Sends the statements and one Sync; resolves with one result a statement. Values are encoded before the
 * first byte leaves, so a value that cannot be (a cycle) leaves the connection clean. Outside a
 * transaction block the whole is atomic. What Postgres refuses is thrown as DbError. `isLast`: the connection's use
 * ends with it, so its session is reset behind it. `closes`: names of statements that are over then.
 */
export function sendPipelined(
  client: PoolClient,
  statements: readonly Statement[],
  isLast = false,
  closes: readonly string[] = [],
): Promise<StatementResult[]> {
  return new Promise((resolve, reject) => {
    const parserFor = (typeId: number): Parser => client.getTypeParser(typeId, "text") as Parser;
    client.query(
      new PipelinedStatements(
        statements.map(encoded),
        parserFor,
        closes,
        isLast ? (hasFailed, then) => awaitReset(client, hasFailed, then) : undefined,
        (error, results) => (error ? reject(toDbError(error)) : resolve(results)),
      ),
    );
  });
}
