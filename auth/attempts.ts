// Attempts at a password, counted before they are made: of many at once not one more than the quota gets through.
import { createHash } from "node:crypto";
import { networksAround } from "../security/address";
import { reasonOf } from "../security/errors";
import { MemoryCounter } from "../security/counter";
import { limits } from "../security/limits";

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

/** Who asks for a mail: whoever comes, an account for its own address, or another account, by its id. */
type MailAsker = "anybody" | "owner" | { accountId: string };

/**
 * Counts a mail to an address, whether or not anybody is registered with it. Each asker has a quota of its own: else a stranger uses
 * up what the address's owner needs to step up, or to be invited. What other accounts ask for is counted together too: accounts
 * cost nothing. @throws APIError rate_limited.
 */
export async function countMail(email: string, by: MailAsker): Promise<void> {
  const asker = typeof by === "string" ? by : by.accountId;
  await limits.consume("mail", "account", limitKey(by === "anybody" ? email : `${asker}\n${email}`));
  if (typeof by !== "string") await limits.consume("mail", "accountByOthers", limitKey(email));
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
