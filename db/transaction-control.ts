// What may not happen to a transaction from inside: its scope lives in settings that end with it, so a body that
// sends COMMIT, becomes another role or goes on after the end would act without a scope. Each is a DbError `misuse`.
import type { PoolClient } from "pg";
import { DbError } from "./errors";

/** `rollback to savepoint` stays inside; every other ROLLBACK ends the transaction. */
const CONTROL =
  /^(?:begin|start|commit|end|abort|prepare transaction|rollback(?!(?: work| transaction)? to(?: |$)))(?: |$)/;
/** A name in escapes (`u&"\0072ole"`) could be any. */
const ROLE =
  /^(?:discard|reset (?:all|role|session|session_authorization|u&)|set (?:session |local )?(?:role|session authorization|session_authorization|u&))(?: |$)/;
/** By so many words at most all of these statements are told. */
const WORDS = 4;
const WORD = /[\w$\u0080-\uffff]+|"[^"]*"/y;
const ESCAPED = /u&"[^"]*"/iy;

/** The misuse of a statement that would end its transaction or leave its role; undefined for every other one. */
export function controlMisuse(text: string): DbError | undefined {
  const head = firstWords(text);
  if (CONTROL.test(head)) {
    return new DbError(
      "misuse",
      "a statement would begin or end a transaction: withTenant and withSystem do that, throw to roll back",
    );
  }
  if (!ROLE.test(head)) return undefined;
  return new DbError("misuse", "a statement would leave the role or the settings that row security depends on");
}

/** The words that a statement begins with, one blank between them, however they are written, apart from each other, or quoted. */
function firstWords(text: string): string {
  const words: string[] = [];
  // Empty statements stand in front of the first word only.
  for (let at = skipBlank(text, 0, ";"); words.length < WORDS; at = skipBlank(text, at)) {
    const escaped = matchAt(ESCAPED, text, at);
    const word = escaped ?? matchAt(WORD, text, at);
    if (word === undefined) break;
    words.push(escaped === undefined ? word.replaceAll('"', "").toLowerCase() : "u&");
    at += word.length;
  }
  return words.join(" ");
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** Where the next word stands: behind white space, and comments, which nest in Postgres or end with LF or CR. */
function skipBlank(text: string, from: number, also = ""): number {
  let at = from;
  for (;;) {
    while (at < text.length && (text.charCodeAt(at) <= 32 || text[at] === also)) at++;
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
