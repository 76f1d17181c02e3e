// What the parser says about an app: where, what, and what to do about it. Errors are collected, not thrown,
// so that one run reports all of them.
import type { Place } from "../model";
import { remedyFor } from "./remedies";

export interface ParseError {
  /** One line, without the place. */
  message: string;
  place?: Place;
  /** What would make it right, for a human. */
  remedy?: string;
  /** The whole line as Encore's own parser prints it, where ours says more or knows the place and it does not. */
  official?: string;
  /** The message as Encore's own parser words it at the same place. */
  wording?: string;
}

/** What an error may carry besides its message and place. */
export type ErrorExtra = Pick<ParseError, "remedy" | "official" | "wording">;

/** A position in a source file, before it is a line and a column. */
export interface Spot {
  path: string;
  text: string;
  offset: number;
}

/** Ends the work on one declaration; `Diagnostics.attempt` turns it into a reported error. */
export class Refusal extends Error {
  override name = "Refusal";

  constructor(
    message: string,
    readonly spot: Spot | undefined,
    readonly extra: ErrorExtra = {},
  ) {
    super(message);
  }
}

export const ENDLESS = "this type refers to itself without end";

/** The stack ran out, which only types without end bring about. */
export const isEndless = (error: unknown): boolean =>
  error instanceof RangeError && error.message.includes("call stack");

/** Runs `work` on a type; one without end becomes a refusal at `spot`, where a refusal without a place gets it too. */
export function boundedAt<T>(spot: Spot | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isEndless(error))
      throw new Refusal(ENDLESS, spot, { remedy: "Write the part of it that travels as an interface." });
    throw error instanceof Refusal && !error.spot ? new Refusal(error.message, spot, error.extra) : error;
  }
}

/** The first line of `file:line:column: message`, and the remedy below it. */
export function formatParseError(error: ParseError): string {
  const line = errorLine(error);
  const remedy = error.remedy ?? remedyFor(error.message);
  return remedy === undefined ? line : `${line}\n  ${remedy}`;
}

/** The line as Encore's own parser prints it. */
export const officialLine = (error: ParseError): string =>
  error.official ?? errorLine({ ...error, message: error.wording ?? error.message });

export function errorLine({ place, message }: ParseError): string {
  return place ? `${place.file}:${place.line}:${place.column}: ${message}` : message;
}

/** Line and column, from 1, of an offset in a text; columns count characters, not UTF-16 units. */
export function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: [...text.slice(start, offset)].length + 1 };
}

export class Diagnostics {
  readonly errors: ParseError[] = [];
  readonly #seen = new Set<string>();

  constructor(readonly root: string) {}

  get count(): number {
    return this.errors.length;
  }

  place(spot: Spot): Place {
    const prefix = `${this.root}/`;
    const file = spot.path.startsWith(prefix) ? spot.path.slice(prefix.length) : spot.path;
    return { file, ...lineAndColumn(spot.text, spot.offset) };
  }

  /** Reports once per place and message. */
  report(message: string, spot?: Spot, extra: ErrorExtra = {}): void {
    const error: ParseError = { message, ...(spot && { place: this.place(spot) }), ...extra };
    const key = errorLine(error);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.errors.push(error);
  }

  /** Runs `work`; a Refusal becomes a report and `undefined`. */
  attempt<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (error instanceof Refusal) this.report(error.message, error.spot, error.extra);
      else if (isEndless(error)) this.report(ENDLESS);
      else throw error;
      return undefined;
    }
  }
}
