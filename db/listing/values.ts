// Values of filters and cursors, by the type of their column. What they are read as is what the database takes without a complaint.
import { z } from "zod";
import { isUuid } from "../ids";
import { isWellFormed } from "../../security/well-formed";
import type { ValueType } from "./resource";

const TEXT_MAX_CHARS = 300;
/**
 * Postgres' timestamps reach further. Of these, whatever is made is written with four digits of a year: a year's period that such a moment is
 * in, of whatever zone, and PostgreSQL has no year nought.
 */
const MOMENT_MIN = Date.parse("0001-01-02T00:00:00.000Z");
const MOMENT_MAX = Date.parse("9000-01-01T00:00:00.000Z");

const readers: Readonly<Record<ValueType, (text: string) => string | undefined>> = {
  text: (text) => (text.length <= TEXT_MAX_CHARS && !text.includes("\u0000") && isWellFormed(text) ? text : undefined),
  integer: (text) => {
    const number = Number(text);
    return Number.isSafeInteger(number) && String(number) === text ? text : undefined;
  },
  moment: (text) => {
    const ms = momentMs(text);
    return ms !== undefined && ms >= MOMENT_MIN && ms <= MOMENT_MAX ? new Date(ms).toISOString() : undefined;
  },
  id: (text) => (isUuid(text) ? text : undefined),
};

const wanted: Readonly<Record<ValueType, string>> = {
  text: `a text of at most ${TEXT_MAX_CHARS} characters`,
  integer: "a whole number",
  moment: "a date or moment of ISO 8601, like 2026-01-31 or 2026-01-31T12:00:00Z, of the years 1 to 8999",
  id: "a UUID",
};

/** The value as the database takes it; undefined for what is none of this type. */
export const readValue = (type: ValueType, text: string): string | undefined => readers[type](text);

/** The same of where a page ended: of a moment that is stored, which may be from before they had bounds. */
export function readPlace(type: ValueType, text: string): string | undefined {
  const ms = type === "moment" ? momentMs(text) : undefined;
  if (ms === undefined) return readValue(type, text);
  const iso = new Date(ms).toISOString();
  return iso.startsWith("0000-") ? `0001${iso.slice(4)} BC` : iso;
}

/** What such a value is, in words. */
export const wantedOf = (type: ValueType): string => wanted[type];

/** Date.parse takes other forms too, which every engine reads as it likes. A moment without a zone would be of the server's. */
const isoForm = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);

/** Of four digits of a year. */
function momentMs(text: string): number | undefined {
  if (!isoForm.safeParse(text).success) return undefined;
  const date = new Date(text);
  const year = date.getUTCFullYear();
  return year >= 0 && year <= 9999 ? date.getTime() : undefined;
}
