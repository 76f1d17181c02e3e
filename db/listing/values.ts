// Values of filters and cursors, by the type of their column. What they are read as is what the database takes without a complaint.
import { z } from "zod";
import { isUuid } from "../ids";
import { isWellFormed } from "../../security/well-formed";
import type { ValueType } from "./resource";

const TEXT_MAX_CHARS = 300;
/** Postgres' timestamps reach further; four digits of a year are enough for records. */
const YEAR_0 = Date.parse("0000-01-01T00:00:00.000Z");
const YEAR_9999 = Date.parse("9999-12-31T23:59:59.999Z");

const readers: Readonly<Record<ValueType, (text: string) => string | undefined>> = {
  text: (text) => (text.length <= TEXT_MAX_CHARS && !text.includes("\u0000") && isWellFormed(text) ? text : undefined),
  integer: (text) => {
    const number = Number(text);
    return Number.isSafeInteger(number) && String(number) === text ? text : undefined;
  },
  moment: (text) => {
    const ms = Date.parse(text);
    return ms >= YEAR_0 && ms <= YEAR_9999 && isoForm.safeParse(text).success ? new Date(ms).toISOString() : undefined;
  },
  id: (text) => (isUuid(text) ? text : undefined),
};

const wanted: Readonly<Record<ValueType, string>> = {
  text: `a text of at most ${TEXT_MAX_CHARS} characters`,
  integer: "a whole number",
  moment: "a date or moment of ISO 8601, like 2026-01-31 or 2026-01-31T12:00:00Z",
  id: "a UUID",
};

/** The value as the database takes it; undefined for what is none of this type. */
export const readValue = (type: ValueType, text: string): string | undefined => readers[type](text);

/** What such a value is, in words. */
export const wantedOf = (type: ValueType): string => wanted[type];

/** Date.parse takes other forms too, which every engine reads as it likes. A moment without a zone would be of the server's. */
const isoForm = z.union([z.iso.date(), z.iso.datetime({ offset: true })]);
