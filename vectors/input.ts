// What the endpoints' types cannot say about a document and a query.
import { z } from "zod";
import { readCursor } from "./search-cursor";

/** Postgres' text holds any character but this one. */
const withoutNul = (text: string): boolean => !text.includes("\u0000");
const NUL_PROBLEM = "has a NUL character";

const isStorable = (value: unknown): boolean => typeof value !== "string" || withoutNul(value);

type Metadata = Record<string, string | number | boolean>;

/** Half a character outside the basic plane becomes the replacement character, as in texts: jsonb refuses it. */
function wellFormed(metadata: Metadata): Metadata {
  const whole = (text: string): string => Buffer.from(text, "utf8").toString("utf8");
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [whole(key), typeof value === "string" ? whole(value) : value]),
  );
}

const METADATA_MAX_KEYS = 32;
const METADATA_MAX_CHARS = 4_096;

const textField = z.string().refine(withoutNul, NUL_PROBLEM);
const wordField = textField.refine((text) => text.trim() !== "", "is blank");

/** zod drops a key named __proto__ without a word, so it is refused before. */
const metadataRecord = z
  .record(z.string().max(64, "has a key longer than 64 characters"), z.union([z.string(), z.number(), z.boolean()]))
  .refine((metadata) => Object.keys(metadata).length <= METADATA_MAX_KEYS, `has more than ${METADATA_MAX_KEYS} keys`)
  .refine(
    (metadata) => JSON.stringify(metadata).length <= METADATA_MAX_CHARS,
    `is longer than ${METADATA_MAX_CHARS} characters as JSON`,
  )
  .refine((metadata) => Object.entries(metadata).flat().every(isStorable), NUL_PROBLEM)
  .transform(wellFormed);

const metadataField = z
  .unknown()
  .refine(
    (value) => !Object.hasOwn(Object(value) as object, "__proto__"),
    "has the key __proto__, which is kept for JavaScript",
  )
  .pipe(metadataRecord);

export const ingestionInput = z.object({
  source: wordField,
  title: wordField.optional(),
  text: wordField,
  metadata: metadataField.optional(),
});

export const patchInput = z
  .object({ title: wordField.optional(), metadata: metadataField.optional() })
  .refine(({ title, metadata }) => title !== undefined || metadata !== undefined, "has neither title nor metadata");

/** A JSON object in a query: what of the metadata must be there. */
const metadataFilter = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      context.issues.push({ code: "custom", message: "is not a JSON object", input: text });
      return z.NEVER;
    }
  })
  .pipe(metadataField);

/** `next` of the page before. */
const cursorField = z.string().transform((text, context) => {
  const cursor = readCursor(text);
  if (cursor !== undefined) return cursor;
  context.issues.push({ code: "custom", message: "cannot be read", input: text });
  return z.NEVER;
});

export const searchInput = z.object({
  q: wordField,
  mode: z.enum(["hybrid", "vector", "words"]).default("hybrid"),
  source: textField.optional(),
  sourcePrefix: textField.optional(),
  metadata: metadataFilter.optional(),
  cursor: cursorField.optional(),
});

export const listInput = z.object({
  source: textField.optional(),
  sourcePrefix: textField.optional(),
  status: z.enum(["pending", "ready", "failed"]).optional(),
  metadata: metadataFilter.optional(),
});
