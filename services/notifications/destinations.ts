// What there is of a person's to deliver to, in each channel. Whatever is named here has been shown to be theirs.
import { canSendMail } from "../../mail/mailer";
import type { Contact } from "./contacts";
import type { Destinations } from "./decision";

export function destinationsOf({ email }: Contact): Destinations {
  return {
    push: null,
    email: canSendMail() ? (email === undefined ? [] : [email]) : null,
    sms: null,
  };
}
