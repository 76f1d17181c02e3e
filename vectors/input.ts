// What the endpoints' types cannot say about a document and a query.
import { z } from "zod";

/** Postgres' text holds any character but this one. */
const withoutNul = (text: string): boolean => !text.includes("\u0000");
const NUL_PROBLEM = "has a NUL character";

const METADATA_MAX_KEYS = 32;
const METADATA_MAX_CHARS = 4_096;

const textField = z.string().refine(withoutNul, NUL_PROBLEM);
const wordField = textField.refine((text) => text.trim() !== "", "is blank");

export const ingestionInput = z.object({
  source: wordField,
  title: wordField.optional(),
  text: wordField,
  metadata: z
    .record(z.string().max(64, "has a key longer than 64 characters"), z.union([z.string(), z.number(), z.boolean()]))
    .refine((metadata) => Object.keys(metadata).length <= METADATA_MAX_KEYS, `has more than ${METADATA_MAX_KEYS} keys`)
    .refine(
      (metadata) => JSON.stringify(metadata).length <= METADATA_MAX_CHARS,
      `is longer than ${METADATA_MAX_CHARS} characters as JSON`,
    )
    .refine((metadata) => !JSON.stringify(metadata).includes("\\u0000"), NUL_PROBLEM)
    .optional(),
});

export const searchInput = z.object({ q: wordField });
