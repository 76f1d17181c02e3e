// One pooled connection in use: statements run on it one after the other, in the order they were asked for.
import type pg from "pg";
import type { Argument } from "./arguments";
import { nativeError } from "./errors";
import type { ParameterTypes } from "./parameter-types";
import type { TypeCatalog } from "./pg-types";
import { Statement, UnknownTypes } from "./statement";
import { transactionStatus } from "./wire-connection";

/** What every connection of one database shares. */
export interface DatabaseTypes {
  catalog: TypeCatalog;
  parameters: ParameterTypes;
}

/** Statements after which the session is not as it was: the next user of the connection must not meet it. */
const sessionTags = new Set(["SET", "LISTEN", "PREPARE", "DECLARE CURSOR", "LOAD"]);
const sessionFunctions = /\b(?:set_config|pg_(?:try_)?advisory_lock(?:_shared)?|temp|temporary)\b/i;

export class Lane {
  #tail: Promise<void> = Promise.resolve();
  #active: Statement | undefined;
  #dirty = false;

  constructor(
    private readonly client: pg.PoolClient,
    private readonly types: DatabaseTypes,
  ) {}

  get status(): string {
    return transactionStatus(this.client);
  }

  /** Runs when its turn comes; resolves when the statement is bound. */
  query(sql: string, values: Argument[]): Promise<Statement> {
    return this.#queue(() => this.#start(sql, values));
  }

  /** Runs plain text, such as COMMIT; resolves with its command tag. */
  command(sql: string): Promise<string> {
    return this.#queue(async () => (await this.client.query(sql)).command);
  }

  /** Whoever reads the running statement must not keep the connection any longer. */
  hurry(): void {
    this.#active?.unlimit();
  }

  /** When all is done, leaves the session as a fresh one and gives the connection back. */
  async release(): Promise<void> {
    await this.#tail;
    try {
      if (this.status !== "I") await this.client.query("ROLLBACK");
      if (this.#dirty) await this.client.query("DISCARD ALL");
      this.client.release();
    } catch (error) {
      this.client.release(error instanceof Error ? error : true);
    }
  }

  #queue<T>(run: () => Promise<T>): Promise<T> {
    this.#active?.unlimit();
    const result = this.#tail.then(run);
    this.#tail = result.then(
      () => this.#active?.finished,
      () => this.#active?.finished,
    );
    return result;
  }

  async #start(sql: string, values: Argument[]): Promise<Statement> {
    const known = this.types.parameters.get(sql);
    try {
      return await this.#startWith(sql, values, known);
    } catch (error) {
      this.types.parameters.delete(sql);
      // DDL may have changed what the text means since its types were learned; nothing has run yet.
      if (!known || this.status === "E") throw error;
      return this.#startWith(sql, values, undefined);
    }
  }

  async #startWith(sql: string, values: Argument[], known: number[] | undefined): Promise<Statement> {
    try {
      return await this.#submit(sql, values, known);
    } catch (error) {
      if (!(error instanceof UnknownTypes)) throw error;
      await this.types.catalog.load(error.oids, (text) => this.#askText(text));
      return this.#submit(sql, values, error.parameterOids);
    }
  }

  async #submit(sql: string, values: Argument[], known: number[] | undefined): Promise<Statement> {
    const statement = new Statement(sql, values, this.types.catalog, known);
    this.#active = statement;
    this.client.query(statement);
    try {
      await statement.started;
    } catch (error) {
      await statement.finished;
      throw error;
    }
    if (statement.parameterOids) this.types.parameters.set(sql, statement.parameterOids);
    if (sessionFunctions.test(sql)) this.#dirty = true;
    void statement.finished.then(() => {
      if (sessionTags.has(statement.tag)) this.#dirty = true;
    });
    return statement;
  }

  async #askText(sql: string): Promise<(string | null)[][]> {
    const result = await this.client.query<(string | null)[]>({ text: sql, rowMode: "array" });
    return result.rows;
  }
}

export const connectionClosed = (): Error => nativeError("connection_closed");
