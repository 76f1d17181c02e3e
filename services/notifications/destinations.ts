// What there is of a person's to deliver to, in each channel. Whatever is named here has been shown to be theirs.
import { canSendMail } from "../../mail/mailer";
import type { Contact } from "./contacts";
import type { Destinations } from "./decision";

/** @param browsers ids of push subscriptions */
export function destinationsOf(
  { email, isClosing = false }: Pick<Contact, "email" | "isClosing">,
  browsers: readonly string[],
): Destinations {
  return {
    push: isClosing ? [] : browsers,
    email: canSendMail() ? (email === undefined || isClosing ? [] : [email]) : null,
    sms: null,
  };
}
