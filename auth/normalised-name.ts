// What people call something, in the one form in which it is stored and compared.
import { z } from "zod";
import { hasControlCharacter } from "../security/control-characters";

/** In UTF-16 units, before it is normalised, which takes the square of its length: composing makes four units one at most. */
const UNITS_MAX = 400;

/** What else a name must be is said of the result. */
const normalisedName = z
  .string()
  .max(UNITS_MAX, "is longer than 100 characters")
  .transform((name) => name.normalize("NFC").trim());

/** Of an organisation or a role: others read it, in mails too. */
export const chosenName = normalisedName.pipe(
  z
    .string()
    .min(1, "is empty")
    .max(100, "is longer than 100 characters")
    .refine((name) => !hasControlCharacter(name), "has control characters"),
);
