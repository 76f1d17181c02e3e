// Answers of signing in, in the body or in cookies. In cookies the body has no token: what a page of ours cannot read, a
// script that got into it cannot carry away. Who comes by cookie is answered by cookie, and never gets tokens for it.
import type { Header } from "encore.dev/api";
import { cfg } from "../../config";
import { commonErrors } from "../../security/common-errors";
import { isOwnPageBy } from "../../security/csrf";
import { currentCall, type CurrentCall } from "../../telemetry/current-call";
import { errors } from "../errors";
import type { SignedIn } from "../sessions";
import { signOutHeld, withoutEnded } from "./accounts";
import {
  findHeld,
  forgetActive,
  forgetSlot,
  keepActive,
  keepRefresh,
  keepSession,
  readJar,
  slotFor,
  type Jar,
} from "./jar";

/** Several lines: Encore's type knows one, its runtimes write one header for each element (contract H-85). */
export const setCookies = (lines: readonly string[]): Header<"Set-Cookie"> => lines as unknown as Header<"Set-Cookie">;

export type SignInAnswer = SignedIn & { setCookie?: Header<"Set-Cookie"> };

const firstOf = (value: string | string[] | undefined): string | undefined =>
  (Array.isArray(value) ? value[0] : value) || undefined;

/** Whether the caller was recognised by the browser's cookies: the header goes before them, and calls between services have neither. */
export function isByCookie(): boolean {
  const call = currentCall();
  return firstOf(call?.header("authorization")) === undefined && firstOf(call?.header("cookie")) !== undefined;
}

/** The account that the request names, or the one that is active. */
export const namedAccount = ({ active }: Jar): string | undefined =>
  firstOf(currentCall()?.header("x-account-id")) ?? active;

/**
 * The cookies of the calling browser. Setting them counts too: who can make a browser sign in to an account of theirs
 * reads what its owner writes there (login CSRF).
 * @throws APIError cross_site_request unless a page of ours asks.
 */
export function browserJar(): Jar {
  return readJar(requireOwnPage().header("cookie"));
}

/** The call of a page of ours. @throws APIError cross_site_request unless it is one, beyond doubt. */
export function requireOwnPage(): CurrentCall {
  const call = currentCall();
  if (call === undefined || !isOwnPageBy((name) => call.header(name))) throw commonErrors.cross_site_request();
  return call;
}

/**
 * Signs in; in cookies where the request asks for them, and then the account is the active one. It takes its own place, else
 * a free one, else that of an account whose sign-in is over.
 * @throws APIError cross_site_request, before anything is done. too_many_accounts where all places are of accounts that are
 * signed in: before anything is done with `isNew`, of an account that is made by it; else the sign-in is ended again.
 */
export async function answerSignIn(
  inCookies: boolean | undefined,
  signIn: () => Promise<SignedIn>,
  isNew = false,
): Promise<SignInAnswer> {
  if (inCookies !== true) return signIn();
  const jar = browserJar();
  if (isNew && slotFor(await withPlaceFor(jar)) === undefined) throw errors.too_many_accounts();
  const signedIn = await signIn();
  const { id: accountId } = signedIn.user;
  const before = findHeld(jar, accountId);
  // A new sign-in ends the one in its place (ASVS 5.0 7.2.4).
  if (before !== undefined) await signOutHeld([before]);
  const present = await withPlaceFor(jar, accountId);
  if (slotFor(present, accountId) === undefined) {
    await signOutHeld([{ accountId, refreshToken: signedIn.refreshToken }]);
    throw errors.too_many_accounts();
  }
  return inJar(present, signedIn, true);
}

/** The jar; where it has no place for the account, without those whose sign-ins are over. */
const withPlaceFor = async (jar: Jar, accountId?: string): Promise<Jar> =>
  slotFor(jar, accountId) === undefined ? withoutEnded(jar) : jar;

/** The answer for whoever came by cookie; others get the tokens in the body. */
export const answerLikeAsked = (signedIn: SignedIn): SignInAnswer =>
  isByCookie() ? inJar(browserJar(), signedIn) : signedIn;

/** Puts the tokens into the account's place. */
export function inJar(jar: Jar, signedIn: SignedIn, isActivated = false): SignInAnswer {
  const { accessToken, refreshToken, expiresIn, user } = signedIn;
  const slot = slotFor(jar, user.id);
  if (slot === undefined) throw errors.too_many_accounts();
  const keepSeconds = cfg.auth.refreshTokenSeconds;
  const lines = [
    keepSession(slot, user.id, accessToken, expiresIn),
    keepRefresh(slot, user.id, refreshToken, keepSeconds),
    ...(isActivated ? [keepActive(user.id, keepSeconds)] : []),
  ];
  return { ...signedIn, accessToken: "", refreshToken: "", setCookie: setCookies(lines) };
}

/** The access token alone, for the account that asks. */
export function answerAccess(
  accountId: string,
  { accessToken, expiresIn }: { accessToken: string; expiresIn: number },
): { accessToken: string; expiresIn: number; setCookie?: Header<"Set-Cookie"> } {
  if (!isByCookie()) return { accessToken, expiresIn };
  const slot = slotFor(browserJar(), accountId);
  if (slot === undefined) throw errors.too_many_accounts();
  return { accessToken: "", expiresIn, setCookie: setCookies([keepSession(slot, accountId, accessToken, expiresIn)]) };
}

/** Removes an account from its place; no other becomes active by it. */
export function forgetAccount(jar: Jar, accountId: string): Header<"Set-Cookie"> {
  const slot = slotFor(jar, accountId);
  return setCookies([
    ...(slot === undefined ? [] : forgetSlot(slot)),
    ...(jar.active === accountId ? [forgetActive()] : []),
  ]);
}
