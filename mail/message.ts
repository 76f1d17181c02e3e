// What a mail is: one recipient, a subject, a text, and an HTML version of the same text where one is wanted.
// Who sends mails gives values only; this is where a line break in a subject or a second recipient ends (CWE-93).
import { z } from "zod";

/** Text that stands in a header: no line breaks or other control characters. */
const headerText = (max: number): z.ZodString =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, "has control characters");

/**
 * One mailbox as mail servers have them: letters of every script and the signs of RFC 5322 (atext) before the sign (RFC 6531; to a server that does not know them it is
 * sent all the same, and refused there), after it the name as the DNS has it, top-level domains of other scripts included (`xn--`).
 * No quoting, which is where two recipients hide in one.
 */
const MAILBOX =
  /^[\p{L}\p{M}\p{N}\u200c\u200d!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}\u200c\u200d!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$/u;

export const mailSchema = z.strictObject({
  /** The same for every attempt to send this mail: it becomes the Message-ID, by which receivers know a repetition. */
  id: z.uuid(),
  /** One address, without a name. */
  to: z.email({ pattern: MAILBOX }).max(254),
  subject: headerText(200),
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
export const comparableAddress = (address: string): string => address.trim().toLowerCase();
