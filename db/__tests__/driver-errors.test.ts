// What the driver throws and what becomes of it, without a server: errors.test.ts has the same of real rows.
import { describe, expect, it, test } from "vitest";
import { DbError, isUniqueViolation, nameStatement, toDbError, withCallerStack } from "../errors";

const thrown = (code: unknown, message: unknown = "text", more: object = {}): object => ({ code, message, ...more });

describe("what the driver throws", () => {
  test.each([
    ["23505", "unique_violation"],
    ["23503", "foreign_key_violation"],
    ["23502", "not_null_violation"],
    ["23514", "check_violation"],
    ["23001", "restrict_violation"],
    ["40001", "serialization_failure"],
    ["40P01", "deadlock"],
    ["55P03", "lock_timeout"],
    ["57014", "statement_timeout"],
    ["25P02", "transaction_aborted"],
    ["25P03", "unavailable"],
    ["25P04", "unavailable"],
    ["42501", "insufficient_privilege"],
    ["08006", "unavailable"],
    ["22001", "invalid_value"],
    ["53300", "unavailable"],
    ["57P01", "unavailable"],
    ["58030", "unavailable"],
    ["42P01", "unknown"],
    ["P0001", "unknown"],
  ])("of SQLSTATE %s is %s, with the names that a rule asks for and without the server's own error", (code, kind) => {
    const names = { constraint: "c", table: "t", column: "l" };
    const error = toDbError(thrown(code, "text", { ...names, detail: "Failing row contains (alice)" })) as DbError;
    expect(error).toBeInstanceOf(DbError);
    expect({ ...error }).toMatchObject({ name: "DbError", kind, sqlState: code, ...names });
    expect([error.code, error.message, error.cause]).toEqual([code, "text", undefined]);
    expect(error.retryable).toBe(["40001", "40P01"].includes(code));
  });

  test.each(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOTFOUND", "EHOSTUNREACH", "ENOENT"])(
    "with %s of the network is unavailable, and keeps its cause",
    (code) => {
      const original = thrown(code);
      const error = toDbError(original) as DbError;
      expect([error.kind, error.sqlState, error.cause]).toEqual(["unavailable", undefined, original]);
    },
  );

  test.each([
    ["timeout exceeded when trying to connect", "pool_exhausted"],
    ["Connection terminated unexpectedly", "unavailable"],
    ["Client has encountered a connection error and is not queryable", "unavailable"],
    ["Client was closed and is not queryable", "unavailable"],
  ])("and has no code is known by its text: %s", (message, kind) => {
    const original = new Error(message);
    expect(toDbError(original)).toMatchObject({ kind, message, cause: original });
    expect(toDbError(thrown("EBADF", message))).toMatchObject({ kind });
  });

  it("comes back as it is when it is no database's", () => {
    const known = new DbError("misuse", "x");
    const others = [
      known,
      null,
      undefined,
      "ECONNREFUSED",
      () => "x",
      new Error("he said: Connection terminated"),
      new Error("he said: timeout exceeded when trying to connect"),
      thrown("EBADF"),
      thrown("P2002"),
      thrown("23505x"),
      thrown("x23505"),
      thrown("2350"),
      thrown("abcde"),
      thrown(23505),
      thrown(undefined, 7),
    ];
    for (const other of others) {
      expect(toDbError(other)).toBe(other);
      expect(withCallerStack(other)).toBe(other);
    }
  });

  it("and has no text gets one", () => {
    expect(toDbError(thrown("23505", 7))).toMatchObject({ message: "database error" });
  });

  test.each([
    ['invalid input syntax for type uuid: "alice"', 'invalid input syntax for type uuid: "…"'],
    ['value "9" is out of range for type "int"', 'value "…"'],
    ['a "quote" in the middle', 'a "…" in the middle'],
    ['an open "quote', 'an open "…"'],
    ["no quote at all", "no quote at all"],
    ['"', '"…"'],
  ])("of a value's form tells everything but the value: %s", (message, said) => {
    expect(toDbError(thrown("22P02", message))).toMatchObject({ kind: "invalid_value", message: said });
    expect(toDbError(thrown("42P01", message))).toMatchObject({ message });
  });
});

describe("what Prisma wraps", () => {
  const wrapped = (cause: unknown): object => ({
    code: "P2002",
    message: "quotes alice",
    meta: { driverAdapterError: { cause } },
  });

  it("is read from inside, with the constraint that the server's text names", () => {
    const originalMessage = 'duplicate key value violates unique constraint "person_email_key"';
    const error = toDbError(wrapped({ originalCode: "23505", originalMessage })) as DbError;
    expect([error.kind, error.sqlState, error.constraint, error.message]).toEqual([
      "unique_violation",
      "23505",
      "person_email_key",
      originalMessage,
    ]);
  });

  it("needs neither text nor constraint", () => {
    for (const cause of [{ originalCode: "40001" }, { originalCode: "40001", originalMessage: 7 }])
      expect(toDbError(wrapped(cause))).toMatchObject({
        kind: "serialization_failure",
        message: "database error",
        constraint: undefined,
      });
  });

  it("is no database's when it holds none", () => {
    for (const other of [
      wrapped(undefined),
      wrapped({}),
      wrapped({ originalCode: 7 }),
      { meta: {} },
      { meta: { driverAdapterError: {} } },
    ])
      expect(toDbError(other)).toBe(other);
  });
});

describe("a database error", () => {
  it("has the name of the first statement that it is given, and others have none", () => {
    const error = new DbError("unknown", "x", { cause: 7 });
    expect([error.statement, error.cause]).toEqual([undefined, 7]);
    expect(nameStatement(error, "select a")).toBe(error);
    nameStatement(error, "select b");
    expect(error.statement).toBe("select a");
    const other = {};
    expect(nameStatement(other, "select a")).toBe(other);
    expect(other).toEqual({});
  });

  it("is a violation of exactly the constraint that is asked for", () => {
    const unique = new DbError("unique_violation", "x", { constraint: "a" });
    expect([isUniqueViolation(unique), isUniqueViolation(unique, "a"), isUniqueViolation(unique, "b")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(isUniqueViolation(new DbError("check_violation", "x", { constraint: "a" }), "a")).toBe(false);
    expect(isUniqueViolation({ kind: "unique_violation", constraint: "a" }, "a")).toBe(false);
  });

  it("gets the stack of whoever waits, longer than usual, and leaves the usual length as it was", async () => {
    const before = Error.stackTraceLimit;
    const error = new DbError("unknown", "x");
    error.stack = "none";
    const deep = (levels: number): unknown => (levels === 0 ? withCallerStack(error) : deep(levels - 1));
    expect(deep(20)).toBe(error);
    expect(error.stack?.match(/at deep/g)).toHaveLength(21);
    expect(error.stack).not.toContain("withCallerStack");
    expect(Error.stackTraceLimit).toBe(before);
  });
});
