// The cookies of a browser, pure. A browser holds several accounts, each in a slot: `__Host-session-N` has its access token,
// `__Host-refresh-N` its refresh token, both after the account's id; `__Host-account` says which account acts when a
// request names none (`X-Account-Id`). The id in front only finds the slot: who acts is what the token says, and a token of
// another account than the id is refused.
// The prefix keeps neighbouring subdomains from setting them, HttpOnly scripts from reading them, SameSite other sites from
// sending them (RFC 6265bis §4.1.3.2, §5.5, §8.8; ASVS 5.0 3.3).
import { isUuid } from "../../db/ids";

/** So that the Cookie header stays below the 8 KB that proxies take in one line. */
export const ACCOUNTS_PER_BROWSER_MAX = 5;

const ACTIVE = "__Host-account";
const SESSION = "__Host-session-";
const REFRESH = "__Host-refresh-";
const ID_CHARS = 36;
const COOKIES_CHARS_MAX = 16_384;
const slots = [...Array(ACCOUNTS_PER_BROWSER_MAX).keys()];

/** An account's place in the jar. */
export interface HeldAccount {
  accountId: string;
  slot: number;
  refreshToken: string;
}

export interface Jar {
  /** Of the account that acts when a request names none; it may have left. */
  active: string | undefined;
  /** By slot, no account twice. */
  accounts: readonly HeldAccount[];
}

/** What a browser sent; values that are not ours are as good as none. */
export function readJar(header: string | string[] | undefined): Jar {
  const cookies = valuesIn(Array.isArray(header) ? header.join(";") : (header ?? ""));
  const accounts: HeldAccount[] = [];
  for (const slot of slots) {
    const held = splitValue(cookies.get(REFRESH + slot));
    if (held !== undefined && !accounts.some(({ accountId }) => accountId === held.accountId))
      accounts.push({ accountId: held.accountId, slot, refreshToken: held.token });
  }
  const active = cookies.get(ACTIVE);
  return { active: active !== undefined && isUuid(active) ? active : undefined, accounts };
}

function valuesIn(header: string): Map<string, string> {
  const values = new Map<string, string>();
  if (header.length > COOKIES_CHARS_MAX) return values;
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at > 0) values.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  return values;
}

/** Undefined for what is not an account's id, a dot and a token. */
function splitValue(value: string | undefined): { accountId: string; token: string } | undefined {
  if (value === undefined || value[ID_CHARS] !== "." || value.length === ID_CHARS + 1) return undefined;
  const accountId = value.slice(0, ID_CHARS);
  return isUuid(accountId) ? { accountId, token: value.slice(ID_CHARS + 1) } : undefined;
}

/** The access token of an account among the values of the session cookies. */
export function sessionTokenOf(
  accountId: string,
  values: readonly ({ value: string } | undefined)[],
): string | undefined {
  if (accountId.length !== ID_CHARS) return undefined;
  const found = values.find((cookie) => cookie?.value.startsWith(`${accountId}.`));
  return found?.value.slice(ID_CHARS + 1);
}

export const findHeld = ({ accounts }: Jar, accountId: string | undefined): HeldAccount | undefined =>
  accounts.find((held) => held.accountId === accountId);

/** Where the account goes: its slot, or the lowest that is free; undefined when none is. */
export function slotFor({ accounts }: Jar, accountId?: string): number | undefined {
  const own = accounts.find((held) => held.accountId === accountId);
  return own?.slot ?? slots.find((slot) => !accounts.some((held) => held.slot === slot));
}

const line = (name: string, value: string, maxAgeSeconds: number): string =>
  `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Strict`;

/** `Set-Cookie` lines for an access token. */
export const keepSession = (slot: number, accountId: string, token: string, maxAgeSeconds: number): string =>
  line(SESSION + slot, `${accountId}.${token}`, maxAgeSeconds);

export const keepRefresh = (slot: number, accountId: string, token: string, maxAgeSeconds: number): string =>
  line(REFRESH + slot, `${accountId}.${token}`, maxAgeSeconds);

export const keepActive = (accountId: string, maxAgeSeconds: number): string => line(ACTIVE, accountId, maxAgeSeconds);

/** Lines that remove what a slot holds. */
export const forgetSlot = (slot: number): string[] => [line(SESSION + slot, "", 0), line(REFRESH + slot, "", 0)];

export const forgetActive = (): string => line(ACTIVE, "", 0);

/** Lines that remove everything. */
export const forgetAll = (): string[] => [...slots.flatMap(forgetSlot), forgetActive()];
