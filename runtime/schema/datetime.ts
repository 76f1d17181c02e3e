// RFC 3339 date-times as the official runtime reads and writes them (contract L-50, H-83): a space may stand for
// the T, second 60 is taken, anything below a millisecond is cut, a zone is required.

export const TOO_SHORT = "premature end of input";
export const INVALID = "input contains invalid characters";
export const OUT_OF_RANGE = "input is out of range";
export const TOO_LONG = "trailing input";

/** The limits of what the official runtime's calendar can hold, in milliseconds. */
const FIRST_MS = -8334601228800000;
const LAST_MS = 8210266876799999;

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[tT ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?/;

/** Minutes of offset, or a problem text. */
function parseZone(zone: string): number | string {
  if (zone === "") return TOO_SHORT;
  if (zone === "Z" || zone === "z") return 0;
  if (/^[zZ]/.test(zone)) return TOO_LONG;
  if (!/^[+\-\u2212]/.test(zone)) return INVALID;
  const rest = zone.slice(1);
  return zoneProblem(rest) ?? minutesOf(zone[0] === "+" ? 1 : -1, Number(rest.slice(0, 2)), Number(rest.slice(3)));
}

/** What is wrong with `hh:mm`, read from left to right. */
function zoneProblem(text: string): string | undefined {
  if (text.length < 2) return TOO_SHORT;
  if (!/^\d\d(?::|$)/.test(text)) return INVALID;
  if (text.length < 5) return TOO_SHORT;
  if (/^[6-9]\d/.test(text.slice(3))) return OUT_OF_RANGE;
  if (!/^[0-5]\d/.test(text.slice(3))) return INVALID;
  return text.length > 5 ? TOO_LONG : undefined;
}

function minutesOf(sign: 1 | -1, hours: number, minutes: number): number | string {
  return hours > 23 ? OUT_OF_RANGE : sign * (hours * 60 + minutes);
}

/** The problem with a text that is not even shaped like a date-time. */
function shapeProblem(text: string): string {
  return Buffer.byteLength(text) < 19 ? TOO_SHORT : INVALID;
}

/** Parses an RFC 3339 text. Returns the Date, or the official text of the problem. */
export function parseDateTime(text: string): Date | string {
  const match = DATE_TIME.exec(text);
  if (!match) return shapeProblem(text);
  const [all, year, month, day, hour, minute, second, fraction] = match;
  const days = new Date(0);
  days.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const realDay = Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && days.getUTCDate() === Number(day);
  if (!realDay || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return OUT_OF_RANGE;
  if (fraction === undefined && text[all.length] === ".") return text.length === all.length + 1 ? TOO_SHORT : INVALID;
  const offset = parseZone(text.slice(all.length));
  if (typeof offset === "string") return offset;
  const ms = fraction ? Math.trunc(Number(`0.${fraction.slice(0, 9)}`) * 1000 + 1e-9) : 0;
  const clock = ((Number(hour) * 60 + Number(minute) - offset) * 60 + Number(second)) * 1000 + ms;
  return new Date(days.getTime() + clock);
}

/** Whether the calendar of the official runtime reaches that far. */
export function isRepresentable(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS;
}

/** `2024-01-01T00:00:00Z`, with three fraction digits only when they are not zero. An invalid Date is 1970 (contract H-83). */
export function formatDateTime(date: Date): string {
  const ms = date.getTime();
  if (Number.isNaN(ms)) return "1970-01-01T00:00:00Z";
  const text = date.toISOString();
  const year = date.getUTCFullYear();
  const fixed = year > 9999 ? text.replace(/^\+0?/, "+") : year < 0 ? text.replace(/^-00/, "-") : text;
  return ms % 1000 === 0 ? fixed.replace(".000Z", "Z") : fixed;
}

/** The form of response headers: a numeric offset. */
export function formatHeaderDateTime(date: Date): string {
  return `${formatDateTime(date).slice(0, -1)}+00:00`;
}
