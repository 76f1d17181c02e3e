// What a mail is: one recipient, a subject, a text, and an HTML version of the same text where one is wanted.
// Who sends mails gives values only; this is where a line break in a subject or a second recipient ends (CWE-93).
import { z } from "zod";
import { hasControlCharacter } from "../security/control-characters";
import { isEmail, spellEmail } from "./email";

export const mailSchema = z.strictObject({
  /** The same for every attempt to send this mail: it becomes the Message-ID, by which receivers know a repetition. */
  id: z.uuid(),
  /** One address, without a name. */
  to: z.string().refine(isEmail, "is not an e-mail address"),
  subject: z
    .string()
    .min(1)
    .max(200)
    .refine((text) => !hasControlCharacter(text), "has control characters"),
  text: z.string().min(1).max(100_000),
  html: z.string().min(1).max(200_000).optional(),
  /** Where a POST ends mails of this kind to this reader, without signing in (RFC 8058); its GET may ask first. */
  unsubscribeUrl: z
    .string()
    .max(1_000)
    .regex(/^https?:\/\/[!-;=?-~]+$/, "is no address")
    .optional(),
});

export type Mail = z.output<typeof mailSchema>;

/** The form under which an address is found again. */
export const comparableAddress = (address: string): string => spellEmail(address) ?? address;
