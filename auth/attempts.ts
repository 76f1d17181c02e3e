// Attempts at a password, counted before they are made: of many at once not one more than the quota gets through.
import { createHash } from "node:crypto";
import { limits } from "../security/limits";

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

/** Counts a mail to an address, whether or not anybody is registered with it. @throws APIError rate_limited. */
export async function countMail(email: string): Promise<void> {
  await limits.consume("mail", "account", limitKey(email));
}

/** The limiter's store never holds an e-mail. */
function limitKey(name: string): string {
  return createHash("sha256").update(name).digest("base64url");
}
