// Attempts at a password, counted before they are made: of many at once not one more than the quota gets through.
import { createHash } from "node:crypto";
import { reasonOf } from "../security/errors";
import { MemoryCounter } from "../security/counter";
import { limits } from "../security/limits";

/** Refuses nobody: it says who goes first. */
const tries = new MemoryCounter({ algorithm: "sliding-window", points: 1_000, windowSeconds: 60 });

/**
 * Notes that an address tries to sign in; `before` is how often it did so in the last minute without success, tries that are
 * still being looked at included: a crowd that guesses from many addresses then waits behind those who come first.
 */
export function noteTry(address: string): { before: number; succeeded: () => void } {
  const before = tries.used(address);
  tries.settle(address, 1);
  return { before, succeeded: () => tries.settle(address, -1) };
}

/** @throws APIError rate_limited. `forget` is for an attempt that succeeded. */
export async function countAttempt(email: string, address: string): Promise<{ forget: () => Promise<void> }> {
  const [account, pair] = [limitKey(email), limitKey(`${email}\n${address}`)];
  await limits.consume("auth", "accountAtIp", pair);
  await limits.consume("auth", "account", account);
  return {
    forget: async () => {
      await Promise.all([limits.forget("auth", "accountAtIp", pair), limits.forget("auth", "account", account)]);
    },
  };
}

/** Who has shown by a mail that the account is theirs is not shut out for what strangers tried. */
export const forgetAttempts = (email: string): Promise<void> => limits.forget("auth", "account", limitKey(email));

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
