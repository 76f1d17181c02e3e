// Dates and times of columns, from Postgres' ISO style.
import { isRepresentable } from "../schema/datetime";

/** Milliseconds of a UTC date; years of any size. */
export function utc(year: number, month: number, dayOfMonth: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, dayOfMonth);
  return date.getTime();
}

const column =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(?:([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?( BC)?$/;

/** A timestamp column with or without zone (without: read as UTC); undefined for infinity and beyond the year 262142. */
export function timestampOfColumn(text: string): Date | undefined {
  const match = column.exec(text);
  if (!match) return undefined;
  const [
    ,
    year,
    month,
    dayOfMonth,
    hours = 0,
    minutes = 0,
    seconds = 0,
    fraction = "",
    sign,
    zoneHours = 0,
    zoneMinutes = 0,
    zoneSeconds = 0,
    bc,
  ] = match;
  const offset = ((Number(zoneHours) * 60 + Number(zoneMinutes)) * 60 + Number(zoneSeconds)) * (sign === "-" ? -1 : 1);
  const clockMs =
    ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds) - offset) * 1000 +
    Number(fraction.slice(0, 3).padEnd(3, "0"));
  const ms = utc(bc ? 1 - Number(year) : Number(year), Number(month), Number(dayOfMonth)) + clockMs;
  return isRepresentable(ms) ? new Date(ms) : undefined;
}

/** The last that the official runtime's calendar holds. */
const lastYear = 262_142;

/** A date column; years before Christ in astronomical counting. Undefined for infinity and beyond the year 262142. */
export function dateOfColumn(text: string): string | undefined {
  const match = /^(\d{4,})-(\d\d-\d\d)( BC)?$/.exec(text);
  if (!match) return undefined;
  const [, year = "", rest = "", bc] = match;
  if (Number(year) > lastYear) return undefined;
  if (!bc) return Number(year) > 9999 ? `+${text}` : text;
  const astronomical = Number(year) - 1;
  return `${astronomical ? "-" : ""}${String(astronomical).padStart(4, "0")}-${rest}`;
}

/** A time column: three or six digits of a second or none, and midnight for the end of the day. */
export function timeOfColumn(text: string): string {
  const [clock = "", fraction] = text.split(".");
  const shown = clock.replace(/^24/, "00");
  return fraction === undefined ? shown : `${shown}.${fraction.padEnd(fraction.length > 3 ? 6 : 3, "0")}`;
}
