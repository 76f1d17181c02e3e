// What may not happen to a transaction from inside: its scope lives in settings that end with it, so a body that
// sends COMMIT, becomes another role or goes on after the end would act without a scope. Each is a DbError `misuse`.
import type { PoolClient } from "pg";
import { DbError } from "./errors";

const WORK = String.raw`(?:\s+(?:work|transaction))?`;
/** `rollback to savepoint` stays inside; every other ROLLBACK ends the transaction. */
const CONTROL = new RegExp(
  String.raw`^(?:begin|start|commit|end|abort|prepare\s+transaction|rollback(?!${WORK}\s+to\b))\b`,
  "i",
);
const ROLE =
  /^(?:discard|reset\s+(?:all|role|session)|set\s+(?:session\s+|local\s+)?(?:role|session\s+authorization))\b/i;

/** The misuse of a statement that would end its transaction or leave its role; undefined for every other one. */
export function controlMisuse(text: string): DbError | undefined {
  const start = skipBlank(text);
  const head = text.slice(start, start + 80);
  if (CONTROL.test(head)) {
    return new DbError(
      "misuse",
      "a statement would begin or end a transaction: withTenant and withSystem do that, throw to roll back",
    );
  }
  if (!ROLE.test(head)) return undefined;
  return new DbError("misuse", "a statement would leave the role or the settings that row security depends on");
}

/** Where the first word stands: behind white space, empty statements and comments, which nest in Postgres or end with LF or CR. */
function skipBlank(text: string): number {
  let at = 0;
  for (;;) {
    while (at < text.length && (text.charCodeAt(at) <= 32 || text[at] === ";")) at++;
    if (text.startsWith("--", at)) {
      while (at < text.length && text[at] !== "\n" && text[at] !== "\r") at++;
    } else if (text.startsWith("/*", at)) at = endOfComment(text, at);
    else return at;
  }
}

function endOfComment(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith("/*", at)) depth++;
    else if (text.startsWith("*/", at)) depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

/** Whether the server holds a transaction open on this connection, by what it said last. */
export function isInTransaction(client: PoolClient): boolean {
  return client.getTransactionStatus() !== "I";
}

/** Whether a statement of it failed, so that the server takes no more and will not commit. */
export function isAbortedOn(client: PoolClient): boolean {
  return client.getTransactionStatus() === "E";
}

export function isOverError(): DbError {
  return new DbError(
    "misuse",
    "the transaction is over: a statement was asked for after its body had ended, so it was not sent; await every statement inside",
  );
}

export function notAwaitedError(count: number, cause: unknown): DbError {
  return new DbError(
    "misuse",
    `the body ended before ${count === 1 ? "a statement" : `${count} statements`} had an answer, so it was rolled back: await every statement inside`,
    { cause },
  );
}

export function abortedError(cause: unknown): DbError {
  return new DbError("transaction_aborted", "a statement of the transaction failed, so nothing was committed", {
    cause,
  });
}

export function endedInsideError(): DbError {
  return new DbError("misuse", "a statement ended its own transaction, and the scope with it");
}
