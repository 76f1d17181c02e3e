// What the endpoints' types cannot say: raw ones have none.
import { z } from "zod";
import { hasControlCharacter } from "../../security/control-characters";
import { isWellFormed } from "../../security/well-formed";

const NAME_MAX_CHARS = 255;

/** Any words but control characters, which no header can carry and nobody can see. */
const nameField = z
  .string()
  .trim()
  .min(1, "is missing: give it in the query, or as the file's name in a form")
  .max(NAME_MAX_CHARS, `is longer than ${NAME_MAX_CHARS} characters`)
  .refine((name) => !hasControlCharacter(name), "has a control character")
  .refine(isWellFormed, "has half a character");

export const uploadInput = z.object({ name: nameField });

export const contentInput = z.object({ version: z.coerce.number().int().min(1).max(2_147_483_647).optional() });

export const listInput = z.object({
  name: z
    .string()
    .refine((name) => !name.includes("\u0000"), "has a NUL character")
    .optional(),
  status: z.enum(["pending", "ready", "failed", "stored"]).optional(),
});
