// Dates and times given as strings, read item by item as the official runtime does (chrono 0.4, format::parse): blanks before a number are
// skipped, numbers need not be padded, and the first problem from left to right is the one that is told.
import { INVALID, OUT_OF_RANGE, parseDateTime, TOO_LONG, TOO_SHORT } from "../schema/datetime";
import { utc } from "./date-texts";
import { ParameterProblem } from "./errors";

function problem(text: string): never {
  throw new ParameterProblem(text);
}

interface Cursor {
  text: string;
}

const skipBlanks = (cursor: Cursor): void => {
  cursor.text = cursor.text.trimStart();
};

function literal(cursor: Cursor, char: string): void {
  if (cursor.text === "") problem(TOO_SHORT);
  if (!cursor.text.startsWith(char)) problem(INVALID);
  cursor.text = cursor.text.slice(char.length);
}

function digits(cursor: Cursor, max: number): string {
  const found = /^\d*/.exec(cursor.text)?.[0].slice(0, max) ?? "";
  if (found === "") problem(cursor.text === "" ? TOO_SHORT : INVALID);
  cursor.text = cursor.text.slice(found.length);
  return found;
}

/** One or two digits, at most `max`. */
function small(cursor: Cursor, min: number, max: number): number {
  skipBlanks(cursor);
  const value = Number(digits(cursor, 2));
  return value < min || value > max ? problem(OUT_OF_RANGE) : value;
}

/** Up to four digits, or as many as there are after a sign. */
function year(cursor: Cursor): number {
  skipBlanks(cursor);
  const sign = /^[+-]/.exec(cursor.text)?.[0];
  if (sign) cursor.text = cursor.text.slice(1);
  const value = Number(digits(cursor, sign ? Infinity : 4)) * (sign === "-" ? -1 : 1);
  return Math.abs(value) >= 2 ** 31 ? problem(OUT_OF_RANGE) : value;
}

/** Years that the official runtime's calendar holds: -262143 to 262142. */
const lastYear = 262_142;

type Day = [year: number, month: number, day: number];

/** `blanks`: whether there may be some before the hyphens and after the day. */
function readDay(cursor: Cursor, blanks: boolean): Day {
  const gap = (): void => (blanks ? skipBlanks(cursor) : undefined);
  const years = year(cursor);
  gap();
  literal(cursor, "-");
  const months = small(cursor, 1, 12);
  gap();
  literal(cursor, "-");
  const days = small(cursor, 1, 31);
  gap();
  return [years, months, days];
}

function msOf([years, months, days]: Day): number {
  const ms = utc(years, months, days);
  return years > lastYear || years < -lastYear - 1 || new Date(ms).getUTCDate() !== days ? problem(OUT_OF_RANGE) : ms;
}

/** Seconds since midnight; second 60 is taken. */
function readClock(cursor: Cursor, blanks: boolean): number {
  const gap = (): void => (blanks ? skipBlanks(cursor) : undefined);
  const hours = small(cursor, 0, 23);
  gap();
  literal(cursor, ":");
  const minutes = small(cursor, 0, 59);
  gap();
  literal(cursor, ":");
  return (hours * 60 + minutes) * 60 + small(cursor, 0, 60);
}

/** Microseconds of `.123456789`; what is below them is dropped. */
function readFraction(cursor: Cursor): number {
  if (!cursor.text.startsWith(".")) return 0;
  cursor.text = cursor.text.slice(1);
  return Number(digits(cursor, Infinity).slice(0, 6).padEnd(6, "0"));
}

function end(cursor: Cursor): void {
  if (cursor.text !== "") problem(TOO_LONG);
}

/** `2024-01-31` → milliseconds. @throws ParameterProblem */
export function dateOf(text: string): number {
  const cursor = { text };
  const day = readDay(cursor, false);
  end(cursor);
  return msOf(day);
}

/** `12:34:56` → microseconds; a fraction is not taken. @throws ParameterProblem */
export function timeOf(text: string): number {
  const cursor = { text };
  const seconds = readClock(cursor, false);
  end(cursor);
  return seconds * 1_000_000;
}

/** `2024-01-31T12:34:56[.ffffff]` without zone → milliseconds and the microseconds below. @throws ParameterProblem */
export function naiveDateTimeOf(text: string): [ms: number, micros: number] {
  const cursor = { text };
  const day = readDay(cursor, true);
  literal(cursor, "T");
  const seconds = readClock(cursor, true);
  const micros = readFraction(cursor);
  skipBlanks(cursor);
  end(cursor);
  return [msOf(day) + seconds * 1000 + Math.floor(micros / 1000), micros % 1000];
}

/** RFC 3339 → milliseconds and the microseconds below. @throws ParameterProblem */
export function dateTimeOf(text: string): [ms: number, micros: number] {
  const parsed = parseDateTime(text);
  if (typeof parsed === "string") return problem(parsed);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return [parsed.getTime(), Number(fraction.slice(3, 6).padEnd(3, "0")) || 0];
}
