// SQLSTATE → typed error. Rules branch on `kind`, never on the text Postgres wrote. What Postgres tells about rows
// (detail, where, hint, the value in "invalid input syntax") is dropped here, before anything can log it: names of
// constraints, tables and columns stay.
// Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html

export type DbErrorKind =
  | "unique_violation"
  | "foreign_key_violation"
  | "not_null_violation"
  | "check_violation"
  | "restrict_violation"
  | "invalid_value"
  | "serialization_failure"
  | "deadlock"
  | "lock_timeout"
  | "statement_timeout"
  | "insufficient_privilege"
  | "unavailable"
  | "pool_exhausted"
  | "transaction_aborted"
  | "misuse"
  | "unknown";

export interface DbErrorFacts {
  sqlState?: string;
  constraint?: string;
  table?: string;
  column?: string;
  /** What was asked, as spans and metrics name it: "select auth.account". */
  statement?: string;
  isOfParameter?: boolean | undefined;
  cause?: unknown;
}

export class DbError extends Error {
  override readonly name = "DbError";
  readonly kind: DbErrorKind;
  readonly sqlState: string | undefined;
  /** Name of the violated constraint: what a rule compares to say which field is at fault. */
  readonly constraint: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  statement: string | undefined;
  /** Whether Postgres refused a parameter as it came, or what the statement made of it; undefined where that is not told. */
  readonly isOfParameter: boolean | undefined;

  constructor(kind: DbErrorKind, message: string, facts: DbErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.kind = kind;
    this.sqlState = facts.sqlState;
    this.constraint = facts.constraint;
    this.table = facts.table;
    this.column = facts.column;
    this.statement = facts.statement;
    this.isOfParameter = facts.isOfParameter;
  }

  /** The SQLSTATE under the name that drivers give it. */
  get code(): string | undefined {
    return this.sqlState;
  }

  /** The same transaction, run again from its start, may succeed. */
  get retryable(): boolean {
    return this.kind === "serialization_failure" || this.kind === "deadlock";
  }
}

const BY_STATE: Readonly<Record<string, DbErrorKind>> = {
  "23505": "unique_violation",
  "23503": "foreign_key_violation",
  "23502": "not_null_violation",
  "23514": "check_violation",
  "23001": "restrict_violation",
  "40001": "serialization_failure",
  "40P01": "deadlock",
  "55P03": "lock_timeout",
  "57014": "statement_timeout",
  "25P02": "transaction_aborted",
  // The server ended the connection of a transaction that idled or took too long.
  "25P03": "unavailable",
  "25P04": "unavailable",
  "42501": "insufficient_privilege",
};

const BY_CLASS: Readonly<Record<string, DbErrorKind>> = {
  "08": "unavailable",
  "22": "invalid_value",
  "53": "unavailable",
  "57": "unavailable",
  "58": "unavailable",
};

const NETWORK_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EHOSTUNREACH",
  "ENOENT",
]);

interface DriverError {
  code?: unknown;
  message?: unknown;
  constraint?: string;
  table?: string;
  column?: string;
  /** "unnamed portal parameter $1 = '...'", in the server's language. */
  where?: unknown;
}

/**
 * Any error of the driver as a DbError; a DbError and what is no database error at all come back as they are.
 * An error of the server is not kept as `cause`: its fields repeat the row.
 */
export function toDbError(error: unknown): unknown {
  if (error instanceof DbError || typeof error !== "object" || error === null) return error;
  const found = driverErrorOf(error);
  const message = typeof found.message === "string" ? found.message : "database error";
  const code = typeof found.code === "string" ? found.code : undefined;
  const kind = kindOf(code, message);
  if (!kind) return error;
  if (code === undefined || !isSqlState(code)) return new DbError(kind, message, { cause: error });
  return new DbError(kind, kind === "invalid_value" ? withoutValues(message) : message, {
    sqlState: code,
    constraint: found.constraint,
    table: found.table,
    column: found.column,
    isOfParameter: found === error ? typeof found.where === "string" && /\$\d/.test(found.where) : undefined,
  });
}

/** Prisma wraps what the driver threw; the wrapper's own text quotes the arguments of the call. */
function driverErrorOf(error: object): DriverError {
  const { meta } = error as {
    meta?: { driverAdapterError?: { cause?: { originalCode?: unknown; originalMessage?: unknown } } };
  };
  const wrapped = meta?.driverAdapterError?.cause;
  if (typeof wrapped?.originalCode !== "string") return error;
  const message = typeof wrapped.originalMessage === "string" ? wrapped.originalMessage : undefined;
  return { code: wrapped.originalCode, message, constraint: /constraint "([^"]+)"/.exec(message ?? "")?.[1] };
}

/** The text of a refused value's error without the value, which stands in quotes: from the first to the last. */
function withoutValues(message: string): string {
  const from = message.indexOf('"');
  const to = message.lastIndexOf('"');
  if (from === -1) return message;
  return `${message.slice(0, from)}"…"${from === to ? "" : message.slice(to + 1)}`;
}

/** Adds to a DbError which statement failed. */
export function nameStatement(error: unknown, statement: string): unknown {
  if (error instanceof DbError) error.statement ??= statement;
  return error;
}

const CALLER_FRAMES_MAX = 30;

/**
 * Gives a DbError the stack of whoever waits for the statement. Called when it failed, from an async function that
 * the caller awaits: V8 then follows the awaits outwards, so a statement that succeeds pays nothing.
 * Source: https://v8.dev/docs/stack-trace-api#async-stack-traces
 */
export function withCallerStack(thrown: unknown): unknown {
  const error = toDbError(thrown);
  if (!(error instanceof DbError)) return error;
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = CALLER_FRAMES_MAX;
  Error.captureStackTrace(error, withCallerStack);
  Error.stackTraceLimit = before;
  return error;
}

/** True for a violation of exactly this unique constraint or index. */
export function isUniqueViolation(error: unknown, constraint?: string): error is DbError {
  return (
    error instanceof DbError &&
    error.kind === "unique_violation" &&
    (constraint === undefined || error.constraint === constraint)
  );
}

function kindOf(code: string | undefined, message: string): DbErrorKind | undefined {
  if (code !== undefined) {
    if (NETWORK_CODES.has(code)) return "unavailable";
    if (isSqlState(code)) return BY_STATE[code] ?? BY_CLASS[code.slice(0, 2)] ?? "unknown";
  }
  if (message.startsWith("timeout exceeded when trying to connect")) return "pool_exhausted";
  if (/^Connection terminated|not queryable|Client was closed/.test(message)) return "unavailable";
  return undefined;
}

/** Node's (EBADF) and Prisma's own codes (P2002) look alike; no class of Postgres begins like them. */
function isSqlState(code: string): boolean {
  return /^(?!E|P[1-9])[0-9A-Z]{5}$/.test(code);
}
