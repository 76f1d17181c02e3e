// Of the operator that a link of development speaks for (development-link.ts). Whoever made one in a database that a production
// uses later must not be in there: a production knows no session of this operator.
import { commonErrors } from "../../security/common-errors";

export const DEVELOPMENT_EMAIL = "console@development.invalid";

/** @throws APIError invalid_request for the address, which has no way in but the link. */
export function refuseDevelopmentEmail(email: string): void {
  if (email === DEVELOPMENT_EMAIL)
    throw commonErrors.invalid_request({ fields: { email: "is kept for the links of development" } });
}
