// Which statements no body of a transaction may send, by their text alone: transaction.test.ts has what becomes of it.
import type { PoolClient } from "pg";
import { describe, expect, test } from "vitest";
import {
  abortedError,
  controlMisuse,
  endedInsideError,
  isInTransaction,
  isOverError,
  notAwaitedError,
} from "../transaction-control";

const CONTROL = "a statement would begin or end a transaction: withTenant and withSystem do that, throw to roll back";
const ROLE = "a statement would leave the role or the settings that row security depends on";
const misuseOf = (text: string): unknown => {
  const error = controlMisuse(text);
  return error === undefined ? undefined : [error.kind, error.message];
};

describe("a statement is refused", () => {
  test.each([
    "begin",
    "BEGIN;",
    "start transaction",
    "commit",
    "Commit and chain",
    "end",
    "abort",
    "rollback",
    "rollback work",
    "rollback transaction",
    "rollback and chain",
    "rollback together",
    "prepare transaction 'x'",
    "prepare\n transaction 'x'",
    "prepare/**/transaction 'x'",
    "prepare /* a /* b */ */ -- c\r transaction 'x'",
    `prepare${" ".repeat(500)}transaction 'x'`,
    `prepare/*${"x".repeat(500)}*/transaction 'x'`,
    "rollback/**/work",
    "rollback/**/prepared 'x'",
    "rollback -- to\n",
    "commit/**/prepared 'x'",
    "commit/**/",
    " \t\r\ncommit",
    "-- a comment\ncommit",
    "--\n--\n commit",
    "/* a */ commit",
    "/**/commit",
    "/*/*/ nested */*/commit",
    "/* a /* b /* c */ */ */ commit",
    "/* -- */ commit",
    "-- /*\ncommit",
    "--\rcommit",
    "; commit",
    ";;/* a */;begin",
    "/* a */-- b\n/* c */\ncommit",
    `${" ".repeat(500)}commit`,
    `/*${"x".repeat(500)}*/commit`,
  ])("that begins or ends a transaction: %j", (text) => {
    expect(misuseOf(text)).toEqual(["misuse", CONTROL]);
  });

  test.each([
    "discard all",
    ";set role postgres",
    "-- a\rset role postgres",
    "reset all",
    "reset role",
    "RESET  session authorization",
    "set role postgres",
    "set session role postgres",
    "set local role postgres",
    "set session authorization postgres",
    "set local session authorization postgres",
    "set\trole postgres",
    "/* a */ set role postgres",
    "set/**/role postgres",
    "set--\nrole postgres",
    "set/**/local/**/role postgres",
    "set/*a*/session -- b\n/*c*/ authorization postgres",
    "set/**/local/**/session/**/authorization postgres",
    `set/*${"x".repeat(500)}*/role postgres`,
    "set role=postgres",
    "set role/**/to postgres",
    'set "role" = postgres',
    'set"role"to postgres',
    'set local "ROLE" to postgres',
    "set session_authorization = postgres",
    'set local/**/"session_authorization" to postgres',
    'set u&"\\0072ole" = postgres',
    "set local U&\"!0072ole\" uescape '!' = postgres",
    "reset/**/role",
    "reset/**/all",
    'reset "role"',
    "reset session_authorization",
    'reset u&"\\0072ole"',
    "discard/**/all",
  ])("that leaves the role: %j", (text) => {
    expect(misuseOf(text)).toEqual(["misuse", ROLE]);
  });
});

describe("a statement passes", () => {
  test.each([
    "",
    " ",
    "--",
    "-- commit",
    "/* commit */",
    "/* open commit",
    "/* a /* b */ commit",
    "/",
    "- commit",
    "select 1",
    "select 'commit'",
    "commitment",
    "ended",
    "starting",
    "prepare p as select 1",
    "preparetransaction 'x'",
    "savepoint a",
    "release a",
    "rollback to a",
    "rollback to savepoint a",
    "rollback work to a",
    "rollback  transaction  to savepoint a",
    "rollback/**/to a",
    "rollback/**/work--\nto/**/a",
    "set local statement_timeout = 1",
    "set search_path = x",
    "reset search_path",
    "setrole",
    "set roles = 1",
    "set app.role = 'x'",
    'set "my role" = 1',
    "set local; role",
    "select u&'\\0072ole'",
    "reset roles",
    "prepare transactions as select 1",
    "discarded",
    "update t set role = 'x'",
    "*/ commit",
  ])("that does neither: %j", (text) => {
    expect(misuseOf(text)).toBeUndefined();
  });

  test("however long its comments are, in a time that only grows with them", () => {
    expect(misuseOf("/*".repeat(100_000))).toBeUndefined();
    expect(misuseOf("--\n".repeat(100_000))).toBeUndefined();
    expect(misuseOf(" ".repeat(200_000))).toBeUndefined();
    expect(misuseOf(`set ${"/*".repeat(100_000)}`)).toBeUndefined();
    expect(misuseOf(`set "${"x".repeat(200_000)}`)).toBeUndefined();
  });
});

test("what went wrong says what to do, and keeps what it came from", () => {
  const cause = new Error("x");
  const facts = (error: Error & { kind: string }): unknown[] => [error.kind, error.message, error.cause];
  expect(facts(isOverError())).toEqual([
    "misuse",
    "the transaction is over: a statement was asked for after its body had ended, so it was not sent; await every statement inside",
    undefined,
  ]);
  expect(facts(notAwaitedError(1, cause))).toEqual([
    "misuse",
    "the body ended before a statement had an answer, so it was rolled back: await every statement inside",
    cause,
  ]);
  expect(notAwaitedError(3, cause).message).toContain("before 3 statements had");
  expect(facts(abortedError(cause))).toEqual([
    "transaction_aborted",
    "a statement of the transaction failed, so nothing was committed",
    cause,
  ]);
  expect(facts(endedInsideError())).toEqual([
    "misuse",
    "a statement ended its own transaction, and the scope with it",
    undefined,
  ]);
});

test("a connection is in a transaction unless the server said that it is idle", () => {
  const client = (status: string): PoolClient => ({ getTransactionStatus: () => status }) as unknown as PoolClient;
  expect(["I", "T", "E"].map((status) => isInTransaction(client(status)))).toEqual([false, true, true]);
});
