// The address that somebody gives for an account. What one is, and its one spelling: mail/email.ts.
import { parseEmail } from "../mail/email";
import { commonErrors } from "../security/common-errors";

/** In its one spelling. @throws APIError invalid_request. */
export function requireEmail(text: string): string {
  const email = parseEmail(text);
  if (email === undefined) throw commonErrors.invalid_request({ fields: { email: "is not an e-mail address" } });
  return email;
}
