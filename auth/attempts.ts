// Attempts at a password, counted before they are made: of many at once not one more than the quota gets through.
import { createHash } from "node:crypto";
import { networksAround } from "../security/address";
import { reasonOf } from "../security/errors";
import { MemoryCounter } from "../security/counter";
import { limits } from "../security/limits";

/** Refuses nobody: it says who goes first. */
const tries = new MemoryCounter({ algorithm: "sliding-window", points: 1_000, windowSeconds: 60 });

/**
 * Notes that an address tries to sign in, or registers; `rank` is what stands in line before it: what the address and the networks
 * around it tried in the last minute without success, what is still being looked at included. Its own tries count in each of
 * these networks, a neighbour's in the wider ones alone: a crowd that guesses from many addresses waits behind those who come
 * first, and who shares a network with it behind strangers, but before the crowd. Registering counts apart, and is never over with
 * success: whoever floods does succeed.
 */
export function noteTry(
  address: string,
  what: "signing in" | "registering" = "signing in",
): { rank: number; succeeded: () => void } {
  const networks = networksAround(address).map((network) => `${what}\n${network}`);
  const rank = networks.reduce((sum, network) => sum + tries.used(network), 0);
  const note = (points: number): void => networks.forEach((network) => tries.settle(network, points));
  note(1);
  return { rank, succeeded: (): void => note(-1) };
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
