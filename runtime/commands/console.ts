// What a command says to the person who typed it: short lines on stdout, errors with place and remedy on
// stderr. Log lines of the app go to stderr by themselves (X-41).
import type { ParseError } from "../parse/errors";
import { formatParseError } from "../parse/errors";

const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);

export const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

export const dim = (text: string): string => paint(2, text);
export const bold = (text: string): string => paint(1, text);

/** Says what a step did and how long it took. */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  say(`${paint(32, "✓")} ${what} ${dim(`${Math.round(performance.now() - startedAt)} ms`)}`);
  return result;
}

export function sayError(title: string, remedy?: string): void {
  process.stderr.write(`${paint(31, "✗")} ${title}\n${remedy ? `  ${remedy}\n` : ""}`);
}

export function sayParseErrors(errors: ParseError[]): void {
  for (const error of errors) process.stderr.write(`${formatParseError(error)}\n`);
  sayError(`${errors.length} error${errors.length === 1 ? "" : "s"} in the app`);
}
