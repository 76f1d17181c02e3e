// What a notification says: a title, a text and where it leads. Plain text: channels that have HTML make theirs of it.
import { z } from "zod";
import { hasControlCharacter } from "../../security/control-characters";
import { fieldsOf } from "../../security/input";
import { isWellFormed } from "../../security/well-formed";
import { errors } from "./errors";

/** What turns the direction of text around, and what has no width; but the two joiners, which emoji and scripts need. */
const MISLEADING = /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/;

/** A line, as it stands in a subject or a title: no control characters. */
const line = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => !hasControlCharacter(text), "has control characters")
    .refine((text) => !MISLEADING.test(text), "has characters that are not seen or turn the text around")
    .refine(isWellFormed, "has half a character");

/** https, or a path of the app; nothing before an @ that looks like another host. */
function isLink(text: string): boolean {
  if (/[\\\s\p{Cc}\p{Cf}]/u.test(text) || !isWellFormed(text)) return false;
  if (text.startsWith("/")) return !text.startsWith("//");
  if (!text.startsWith("https://") || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
}

const saidSchema = z.strictObject({
  title: line(150),
  body: z
    .string()
    .min(1)
    .max(10_000)
    .refine(isWellFormed, "has half a character")
    .refine((text) => !text.includes("\u0000"), "has a NUL character"),
  url: z.string().max(2_000).refine(isLink, "is neither an https address nor a path of the app").optional(),
});
/** In one language. */
export type Said = z.output<typeof saidSchema>;

/** As it is kept: what is said to whose language there is none of, and what in others. */
export interface Content extends Said {
  language?: string | undefined;
  byLanguage?: Readonly<Record<string, Said>> | undefined;
}

/** As a sender gives it. */
export const contentSchema: z.ZodType<Said> = saidSchema;

/** What a template has become. @throws APIError template_not_rendered, for what is too long or leads elsewhere */
export function parseContent(rendered: unknown, language: string): Said {
  const parsed = saidSchema.safeParse(rendered);
  if (parsed.success) return parsed.data;
  const fields = Object.entries(fieldsOf(parsed.error)).map(([field, problem]) => [`${language}.${field}`, problem]);
  throw errors.template_not_rendered({ fields: Object.fromEntries(fields) as Record<string, string> });
}
