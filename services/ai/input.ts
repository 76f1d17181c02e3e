// What the endpoints' types cannot say.
import { z } from "zod";

const storable = (text: string): boolean => !text.includes("\u0000") && Buffer.from(text).toString() === text;
const STORABLE = "has a NUL character or half a character";

export const storableText = (charsMax: number) =>
  z
    .string("is no text")
    .max(charsMax, `is longer than ${charsMax} characters`)
    .refine((text) => text.trim() !== "", "is blank")
    .refine(storable, STORABLE);

export const questionInput = z.object({ question: storableText(1_000) });
