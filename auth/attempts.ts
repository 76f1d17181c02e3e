// Attempts at a password, counted before they are made: of many at once not one more than the quota gets through.
import { createHash } from "node:crypto";
import { networksAround } from "../security/address";
import { reasonOf } from "../security/errors";
import { MemoryCounter } from "../security/counter";
import { limits } from "../security/limits";
import type { StandingAsker } from "./mail-standing";

/** Refuses nobody: it says who goes first. */
const tries = new MemoryCounter({ algorithm: "sliding-window", points: 1_000, windowSeconds: 60 });

/** More than all tries that are counted come to: whoever is known goes before all strangers. */
const BEHIND_KNOWN = 1_000_000;

/**
 * Notes that an address tries to sign in, or registers; `rank` is what stands in line before it: what the address and the networks
 * around it tried in the last minute without success, what is still being looked at included. Its own tries count in each of
 * these networks, a neighbour's in the wider ones alone: a crowd that guesses from many addresses waits behind those who come
 * first, and who shares a network with it behind strangers, but before the crowd. Registering counts apart, and is never over with
 * success: whoever floods does succeed. Whom the account knows from there goes before all others (known-places.ts).
 */
export function noteTry(
  address: string,
  what: "signing in" | "registering" = "signing in",
  isKnownPlace = false,
): { rank: number; succeeded: () => void } {
  const networks = networksAround(address).map((network) => `${what}\n${network}`);
  const before = networks.reduce((sum, network) => sum + tries.used(network), 0);
  const note = (points: number): void => networks.forEach((network) => tries.settle(network, points));
  note(1);
  return { rank: isKnownPlace ? before : BEHIND_KNOWN + before, succeeded: (): void => note(-1) };
}

export interface Attempt {
  /** Takes of what all have together whom the account does not know. @throws APIError rate_limited. */
  countForAll: () => Promise<void>;
  /** For one that succeeded: what it has taken of is full again. */
  forget: () => Promise<void>;
}

/** Takes of what this address has for an account; unless it is a place that the account knows, countForAll is next. @throws APIError rate_limited. */
export async function countAttemptHere(email: string, address: string): Promise<Attempt> {
  const [all, here] = [limitKey(email), limitKey(`${email}\n${address}`)];
  await limits.consume("auth", "accountAtIp", here);
  let isForAll = false;
  return {
    countForAll: async () => {
      isForAll = true;
      await limits.consume("auth", "account", all);
    },
    forget: async () => {
      await limits.forget("auth", "accountAtIp", here);
      if (isForAll) await limits.forget("auth", "account", all);
    },
  };
}

/** Of whoever is signed in to the account, with `what`: counted apart from what strangers try, and under a name that they cannot reach. @throws APIError rate_limited. */
export async function countOwnAttempt(
  what: "password" | "factor",
  accountId: string,
  address: string,
): Promise<Attempt> {
  const attempt = await countAttemptHere(`signed-in:${what}:${accountId}`, address);
  await attempt.countForAll();
  return attempt;
}

/** Who has shown by a mail that the account is theirs is not shut out for what strangers tried, nor for what they mistyped. */
export async function forgetAttempts(email: string, address: string): Promise<void> {
  await limits.forget("auth", "account", limitKey(email));
  await limits.forget("auth", "accountAtIp", limitKey(`${email}\n${address}`));
}

/** Who asks for a mail: whoever comes, an account for its own address, or somebody for another's. */
type MailAsker = "anybody" | "owner" | StandingAsker;

/** What all of a standing ask for together; there is no more than one organisation of the last. */
const SHARES = { newcomer: "byNewcomers", known: "byKnown", established: "byEstablished", own: undefined } as const;
/** Of five: two mails an hour are enough for who asks that a stranger be mailed, and leave room for others in a share. */
const STRANGERS_COST = 2;

/**
 * Counts a mail to an address, whether or not anybody is registered with it. Each asker has a quota of its own, whoever invites for an organisation two, so that nobody counts as many by belonging to many: else a stranger uses
 * up what the address's owner needs to step up. What all ask for is bounded too, by shares that nobody of a lesser standing uses up: so
 * strangers who register flood no mailbox, and keep nobody who was there before them from inviting its owner. @throws APIError rate_limited.
 */
export async function countMail(email: string, by: MailAsker): Promise<void> {
  if (typeof by === "string")
    return limits.consume("mail", "account", limitKey(by === "anybody" ? email : `${by}\n${email}`));
  const cost = by.standing === "own" ? 1 : STRANGERS_COST;
  for (const id of by.ids) await limits.consume("mail", "account", limitKey(`${id}\n${email}`), cost);
  const share = SHARES[by.standing];
  if (share !== undefined) await limits.consume("mail", share, limitKey(email));
}

const WRONG_TOKEN = new Set(["link_invalid", "invitation_not_found"]);

/**
 * Work that begins with the token of a mail: not even begun for an address that has brought too many wrong ones.
 * @throws APIError rate_limited, and whatever the work throws.
 */
export async function presentingMailedToken<T>(address: string, work: () => Promise<T>): Promise<T> {
  limits.assertFewFailures("oneTimeToken", address);
  try {
    return await work();
  } catch (error) {
    if (WRONG_TOKEN.has(reasonOf(error) ?? "")) limits.countFailure("oneTimeToken", address);
    throw error;
  }
}

/** The limiter's store never holds an e-mail. */
function limitKey(name: string): string {
  return createHash("sha256").update(name).digest("base64url");
}
