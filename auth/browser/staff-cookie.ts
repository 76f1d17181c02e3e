// The cookie of an operator in the console. A browser may hold accounts of customers as well, so it acts only where a request says
// that staff do: `X-Account-Id: operator`, which no form and no link can send; and the guard asks whose page it was (security/csrf.ts).
import type { Header } from "encore.dev/api";
import { isByCookie, requireOwnPage, setCookies } from "./answer";

/** What `X-Account-Id` names instead of an account. */
const STAFF_ACCOUNT = "operator";

/** Whom a request means by it: `operator`, or `operator:ID` of a page that knows who signed in. Undefined: no staff. */
export function staffMeant(accountId: string | undefined): { id: string | undefined } | undefined {
  if (accountId === STAFF_ACCOUNT) return { id: undefined };
  const start = `${STAFF_ACCOUNT}:`;
  return accountId?.startsWith(start) === true ? { id: accountId.slice(start.length) } : undefined;
}

const NAME = "__Host-operator";

const line = (token: string, maxAgeSeconds: number): Header<"Set-Cookie"> =>
  setCookies([`${NAME}=${token}; Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Strict`]);

export interface StaffAnswer {
  /** Empty where it is in a cookie. */
  token: string;
  expiresIn: number;
  setCookie?: Header<"Set-Cookie">;
}

/**
 * The session's token, in the cookie where the page asks for that.
 * @throws APIError cross_site_request, before anything is done.
 */
export async function answerStaff(
  inCookies: boolean | undefined,
  signIn: () => Promise<{ token: string; expiresIn: number }>,
): Promise<StaffAnswer> {
  if (inCookies !== true) return signIn();
  requireOwnPage();
  const { token, expiresIn } = await signIn();
  return { token: "", expiresIn, setCookie: line(token, expiresIn) };
}

/** Removes the cookie of who came by it. */
export const forgetStaff = (): { setCookie?: Header<"Set-Cookie"> } => (isByCookie() ? { setCookie: line("", 0) } : {});
