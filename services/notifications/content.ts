// What a notification says: a title, a text and where it leads. Plain text: channels that have HTML make theirs of it.
import { z } from "zod";
import { isWellFormed } from "../../security/well-formed";

/** A line, as it stands in a subject or a title: no control characters. */
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, "has control characters")
    .refine(isWellFormed, "has half a character");

/** https, or a path of the app. */
const isLink = (text: string): boolean => /^\/(?![/\\])[^\\\s]*$/.test(text) || /^https:\/\/[^\s\\]+$/.test(text);

export const contentSchema = z.strictObject({
  title: line(150),
  body: z
    .string()
    .min(1)
    .max(10_000)
    .refine(isWellFormed, "has half a character")
    .refine((text) => !text.includes("\u0000"), "has a NUL character"),
  url: z.string().max(2_000).refine(isLink, "is neither an https address nor a path of the app").optional(),
});
export type Content = z.output<typeof contentSchema>;
