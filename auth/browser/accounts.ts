// The accounts that one browser is signed in to. Each is a sign-in of its own, proven by its own refresh token: none of
// them can act for, end or look at another, and there is nothing on the server that ties them together.
// Sources: seeds of several users in one session; Better Auth's multi-session plugin (a cookie for each session, one
// of them active, a bound on how many).
import { cfg } from "../../config";
import { withSystem, type Tx } from "../../db/tenant";
import { organisationOf } from "../entrance";
import { errors } from "../errors";
import { hashSecret, parseRefreshToken } from "../refresh-token";
import { endSessions } from "../session-end";
import { refreshSession, type SignedIn } from "../sessions";
import type { MemberRole } from "../../security/permissions";
import { sessionListHeld, type HeldSessionRow } from "../store/sessions";
import type { HeldAccount, Jar } from "./jar";

export interface BrowserAccount {
  id: string;
  email: string;
  organisation: { id: string; name: string; role: MemberRole } | null;
  /** Whether it acts when a request names none. */
  active: boolean;
}

type Held = Pick<HeldAccount, "accountId" | "refreshToken">;

/** The live sign-ins among those held, each only for the account whose id stands before its token. */
async function liveOf(tx: Tx, held: readonly Held[]): Promise<HeldSessionRow[]> {
  const presented = held.flatMap(({ accountId, refreshToken }) => {
    const token = parseRefreshToken(refreshToken);
    return token === undefined ? [] : [{ accountId, id: token.sessionId, familyHash: hashSecret(token.family) }];
  });
  const ids = presented.map(({ id }) => id);
  const familyHashes = presented.map(({ familyHash }) => familyHash);
  const rows = await sessionListHeld(tx, { ids, familyHashes, idleSeconds: cfg.auth.idleSeconds });
  return rows.filter((row) => presented.some(({ id, accountId }) => id === row.id && accountId === row.accountId));
}

/** Those that are still signed in, in the order of their places. */
export async function listAccounts({ active, accounts }: Jar): Promise<BrowserAccount[]> {
  if (accounts.length === 0) return [];
  const rows = await withSystem("accounts-of-a-browser", (tx) => liveOf(tx, accounts));
  return accounts.flatMap(({ accountId }): BrowserAccount[] => {
    const row = rows.find((live) => live.accountId === accountId);
    if (row === undefined) return [];
    const { email } = row;
    const organisation = organisationOf(row);
    const chosen = organisation && { id: organisation.id, name: organisation.name, role: organisation.role };
    return [{ id: accountId, email, organisation: chosen, active: accountId === active }];
  });
}

/** The jar without the accounts whose sign-ins are over: their places are free. */
export async function withoutEnded(jar: Jar): Promise<Jar> {
  const rows = await withSystem("accounts-of-a-browser", (tx) => liveOf(tx, jar.accounts));
  return {
    ...jar,
    accounts: jar.accounts.filter(({ accountId }) => rows.some((live) => live.accountId === accountId)),
  };
}

/** Ends these sign-ins, in all their organisations; what has ended already is left alone. */
export async function signOutHeld(held: readonly Held[]): Promise<void> {
  if (held.length === 0) return;
  await withSystem("sign-out-of-a-browser", async (tx) => {
    // In one order, so that two browsers with the same accounts do not wait for each other.
    const live = (await liveOf(tx, held)).toSorted((a, b) => (a.accountId < b.accountId ? -1 : 1));
    for (const { id, accountId } of live)
      await endSessions(tx, { accountId, which: "sign-in", signInOf: id, reason: "logout" });
  });
}

/**
 * New tokens for an account of the browser.
 * @throws APIError refresh_token_invalid, also when the token is of another account than its place says; as refreshSession.
 */
export async function refreshHeld(held: HeldAccount | undefined, now: Date, address: string): Promise<SignedIn> {
  if (held === undefined) throw errors.refresh_token_invalid({ internal: "no such cookie" });
  const signedIn = await refreshSession(held.refreshToken, now, address, true);
  if (signedIn.user.id !== held.accountId) throw errors.refresh_token_invalid({ internal: "another account's token" });
  return signedIn;
}
