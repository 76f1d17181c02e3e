// Dates and times as text, both ways: parameters given as strings, and columns in Postgres' ISO style.
import { INVALID, OUT_OF_RANGE, parseDateTime, TOO_LONG, TOO_SHORT } from "../schema/datetime";
import { ParameterProblem } from "./errors";

const day = /^([+-]?\d{4,6})-(\d{1,2})-(\d{1,2})/;
const clock = /^(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?/;

function problem(text: string): never {
  throw new ParameterProblem(text);
}

/** Milliseconds of a UTC date; years of any size. */
function utc(year: number, month: number, dayOfMonth: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, dayOfMonth);
  return date.getTime();
}

function readDay(text: string): { ms: number; rest: string } {
  const match = day.exec(text);
  if (!match) return problem(/^[\d+-]*$/.test(text) && text.length < 10 ? TOO_SHORT : INVALID);
  const [all, year, month, dayOfMonth] = match;
  const ms = utc(Number(year), Number(month), Number(dayOfMonth));
  if (Number(month) < 1 || Number(month) > 12 || new Date(ms).getUTCDate() !== Number(dayOfMonth)) problem(OUT_OF_RANGE);
  return { ms, rest: text.slice(all.length) };
}

function readClock(text: string): { micros: number; rest: string } {
  const match = clock.exec(text);
  if (!match) return problem(/^[\d:]*$/.test(text) && text.length < 8 ? TOO_SHORT : INVALID);
  const [all, hours, minutes, seconds, fraction = ""] = match;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) problem(OUT_OF_RANGE);
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  return { micros: whole * 1_000_000 + Number(fraction.slice(0, 6).padEnd(6, "0")), rest: text.slice(all.length) };
}

/** `2024-01-31` → milliseconds. @throws ParameterProblem */
export function dateOf(text: string): number {
  const { ms, rest } = readDay(text);
  return rest === "" ? ms : problem(TOO_LONG);
}

/** `12:34:56[.ffffff]` → microseconds. @throws ParameterProblem */
export function timeOf(text: string): number {
  const { micros, rest } = readClock(text);
  return rest === "" ? micros : problem(TOO_LONG);
}

/** `2024-01-31T12:34:56[.ffffff]` without zone → milliseconds and the microseconds below. @throws ParameterProblem */
export function naiveDateTimeOf(text: string): [ms: number, micros: number] {
  const date = readDay(text);
  if (date.rest === "") problem(TOO_SHORT);
  if (!/^[T ]/.test(date.rest)) problem(INVALID);
  const time = readClock(date.rest.slice(1));
  if (time.rest !== "") problem(TOO_LONG);
  return [date.ms + Math.floor(time.micros / 1000), time.micros % 1000];
}

/** RFC 3339 → milliseconds and the microseconds below. @throws ParameterProblem */
export function dateTimeOf(text: string): [ms: number, micros: number] {
  const parsed = parseDateTime(text);
  if (typeof parsed === "string") return problem(parsed);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return [parsed.getTime(), Number(fraction.slice(3, 6).padEnd(3, "0")) || 0];
}

const column = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?( BC)?$/;

/** A timestamp column with or without zone (without: read as UTC); undefined for infinity and what is no date. */
export function timestampOfColumn(text: string): Date | undefined {
  const match = column.exec(text);
  if (!match) return undefined;
  const [, year, month, dayOfMonth, hours = 0, minutes = 0, seconds = 0, fraction = "", sign, zoneHours = 0, zoneMinutes = 0, zoneSeconds = 0, bc] = match;
  const offset = ((Number(zoneHours) * 60 + Number(zoneMinutes)) * 60 + Number(zoneSeconds)) * (sign === "-" ? -1 : 1);
  const clockMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds) - offset) * 1000 + Number(fraction.slice(0, 3).padEnd(3, "0"));
  return new Date(utc(bc ? 1 - Number(year) : Number(year), Number(month), Number(dayOfMonth)) + clockMs);
}

/** A date column; years before Christ in astronomical counting. Undefined for infinity. */
export function dateOfColumn(text: string): string | undefined {
  const match = /^(\d{4,})-(\d\d-\d\d)( BC)?$/.exec(text);
  if (!match) return undefined;
  const [, year = "", rest = "", bc] = match;
  if (!bc) return Number(year) > 9999 ? `+${text}` : text;
  const astronomical = Number(year) - 1;
  return `${astronomical ? "-" : ""}${String(astronomical).padStart(4, "0")}-${rest}`;
}
