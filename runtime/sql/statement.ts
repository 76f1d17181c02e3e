// One statement in the extended protocol, as a `pg` submittable.
//
//   describing → executing → producing → done          types of the parameters not yet known
//                executing → producing → done          types known from an earlier use of the same text
//
// describing: Parse + Describe + Flush sent; the answer tells the parameters' types, which decide their encoding.
// executing: Bind + Execute + Sync sent. Errors up to here are errors of the query call. producing: the statement
// is bound; errors from here on belong to the row that was asked for (D-30).
//
// Rows are taken as they arrive, so a cursor that is left alone never holds up the connection for good: above
// `pauseAtChars` the socket is paused until the reader catches up, someone else needs the connection, or
// `abandonAfterMs` pass, whereupon the rest is read and dropped.
import pg from "pg";
import type { Argument } from "./arguments";
import type { Column } from "./decode";
import { encodeArguments } from "./encode";
import { nativeError, serverError } from "./errors";
import type { TypeCatalog } from "./pg-types";
import { debugServerError, displayServerError, unexpectedMessage } from "./rust-debug";
import { watch, type WireConnection } from "./wire-connection";

const pauseAtChars = 8 * 1024 * 1024;
const abandonAfterMs = 60_000;

export type RawRow = (string | null)[];

/** Types that must be looked up before the statement can be encoded or read. */
export class UnknownTypes extends Error {
  override name = "UnknownTypes";

  constructor(
    readonly oids: number[],
    /** What Describe said: the second try need not ask again. */
    readonly parameterOids: number[],
  ) {
    super("unknown types");
  }
}

interface Deferred {
  promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

function deferred(): Deferred {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  promise.catch(() => undefined); // whoever awaits it is told; nobody has to
  return { promise, resolve, reject };
}

export class Statement implements pg.Submittable {
  columns: Column[] = [];
  /** CommandComplete's tag, such as `SET` or `INSERT 0 1`. */
  tag = "";
  readonly #started = deferred();
  readonly #finished = deferred();
  readonly #rows = new RowQueue();
  #phase: "describing" | "executing" | "producing" | "done" = "describing";
  #connection: WireConnection | undefined;
  #bufferedChars = 0;
  #paused = false;
  #unlimited = false;
  #discarding = false;
  #abandonTimer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #wakeReader: () => void = () => undefined;

  constructor(
    private readonly sql: string,
    private readonly values: Argument[],
    private readonly types: TypeCatalog,
    /** Types of the parameters when an earlier use told them. */
    public parameterOids: number[] | undefined,
  ) {}

  /** Resolves when the statement is bound; rejects with what went wrong before. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** Resolves when the connection is free again; never rejects. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  // ------------------------------------------------------------ reading

  /** The next row, or null at the end. @throws what the server reported while producing rows */
  async next(): Promise<RawRow | null> {
    for (;;) {
      const row = this.#rows.shift();
      if (row) {
        this.#took(row);
        return row;
      }
      if (this.#failure) throw this.#failure;
      if (this.#phase === "done") return null;
      await new Promise<void>((resolve) => (this.#wakeReader = resolve));
    }
  }

  #took(row: RawRow): void {
    this.#bufferedChars -= sizeOf(row);
    if (this.#paused && this.#bufferedChars < pauseAtChars / 2) this.#resume();
  }

  /** Somebody else waits for the connection: take everything that still comes. */
  unlimit(): void {
    this.#unlimited = true;
    if (this.#paused) this.#resume();
  }

  /** Nobody will read on. */
  abandon(): void {
    this.#discarding = true;
    this.#rows.clear();
    this.unlimit();
  }

  #pause(): void {
    this.#paused = true;
    this.#connection?.stream.pause();
    this.#abandonTimer = setTimeout(() => {
      this.#failure = nativeError(`the rest of the result was dropped: no row was read for ${abandonAfterMs / 1000} s`);
      this.abandon();
    }, abandonAfterMs);
    this.#abandonTimer.unref();
  }

  #resume(): void {
    this.#paused = false;
    clearTimeout(this.#abandonTimer);
    this.#connection?.stream.resume();
  }

  // ------------------------------------------------------------ protocol

  submit(connection: pg.Connection): void {
    const wire = connection as unknown as WireConnection;
    this.#connection = wire;
    watch(wire, this);
    wire.stream.cork();
    wire.parse({ text: this.sql, name: "", types: this.parameterOids ?? [] });
    if (this.parameterOids) this.#execute(wire, this.parameterOids, true);
    else {
      wire.describe({ type: "S", name: "" });
      wire.flush();
    }
    wire.stream.uncork();
  }

  #execute(wire: WireConnection, oids: number[], describe: boolean): void {
    this.#phase = "executing";
    try {
      const values = encodeArguments(this.values, oids, this.types);
      wire.bind({ portal: "", statement: "", values, binary: false });
      if (describe) wire.describe({ type: "P", name: "" });
      wire.execute({ portal: "", rows: 0 });
    } catch (error) {
      this.#started.reject(error);
      this.#failure = error as Error;
    }
    wire.sync();
  }

  handleParameterDescription(oids: number[]): void {
    this.parameterOids = oids;
  }

  handleRowDescription(message: { fields: { name: string; dataTypeID: number }[] }): void {
    this.columns = message.fields.map((field) => ({ name: field.name, typeOid: field.dataTypeID }));
    this.handleShapeKnown();
  }

  /** Describe has been answered in full. */
  handleShapeKnown(): void {
    const wire = this.#connection;
    if (this.#phase !== "describing" || !wire) return;
    const oids = this.parameterOids ?? [];
    const unknown = this.types.unknown([...oids, ...this.columns.map((column) => column.typeOid)]);
    if (unknown.length === 0) return this.#execute(wire, oids, false);
    this.#phase = "executing";
    this.#started.reject(new UnknownTypes(unknown, oids));
    wire.sync();
  }

  handleBindComplete(): void {
    this.#phase = "producing";
    this.#started.resolve();
  }

  handleDataRow(message: { fields: RawRow }): void {
    if (this.#discarding) return;
    this.#rows.push(message.fields);
    this.#bufferedChars += sizeOf(message.fields);
    if (!this.#unlimited && !this.#paused && this.#bufferedChars > pauseAtChars) this.#pause();
    this.#wakeReader();
  }

  handleCommandComplete(message: { text: string }): void {
    this.tag = message.text;
  }

  handleEmptyQuery(): void {
    this.tag = "";
  }

  handlePortalSuspended(): void {
    // Rows are never limited, so no portal is ever suspended.
  }

  handleCopyOut(): void {
    this.#failure = nativeError(unexpectedMessage);
  }

  handleCopyInResponse(connection: pg.Connection): void {
    this.#failure = nativeError(unexpectedMessage);
    const wire = connection as unknown as WireConnection;
    wire.sendCopyFail("COPY FROM STDIN is not available here");
    wire.sync(); // the Sync sent before was swallowed by the copy
  }

  handleCopyData(): void {
    // What COPY TO STDOUT sends is not wanted.
  }

  handleError(error: Error): void {
    const reported = error instanceof pg.DatabaseError;
    const early = this.#phase === "describing" || this.#phase === "executing";
    if (!reported) this.#failure ??= nativeError(`error communicating with the server: ${error.message}`);
    else
      this.#failure ??= early
        ? serverError(displayServerError(error), error)
        : serverError(debugServerError(error), error);
    if (early) this.#started.reject(this.#failure);
    if (reported && this.#phase === "describing") this.#connection?.sync();
    this.#phase = "producing";
    // After a fatal error no ReadyForQuery comes any more.
    if (!reported || error.severity !== "ERROR") this.handleReadyForQuery();
  }

  handleReadyForQuery(): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    clearTimeout(this.#abandonTimer);
    if (this.#connection) watch(this.#connection, undefined);
    this.#started.resolve();
    this.#finished.resolve();
    this.#wakeReader();
  }
}

/** First in, first out. (Array.shift moves all elements of a long array each time.) */
class RowQueue {
  #rows: (RawRow | undefined)[] = [];
  #head = 0;

  push(row: RawRow): void {
    this.#rows.push(row);
  }

  shift(): RawRow | undefined {
    const row = this.#rows[this.#head];
    this.#rows[this.#head++] = undefined;
    if (this.#head >= this.#rows.length) this.clear();
    else if (this.#head > 4096 && this.#head * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#head);
      this.#head = 0;
    }
    return row;
  }

  clear(): void {
    this.#rows = [];
    this.#head = 0;
  }
}

function sizeOf(row: RawRow): number {
  let chars = 16;
  for (const value of row) chars += 8 + (value?.length ?? 0);
  return chars;
}
