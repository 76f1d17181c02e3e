// What those may send who do not manage notifications: nothing that passes what people prefer, and to one person so much an hour.
import { limits } from "../../security/limits";
import { can } from "../../security/permissions";
import { actorOf, type Principal } from "../../security/principal";
import { errors } from "./errors";
import { categorySettings, NO_POLICY, NO_PREFERENCES } from "./settings";
import { policyFind } from "./store/settings";

/** @throws APIError category_reserved, rate_limited */
export async function requireAllowance(
  principal: Principal,
  { category, to }: { category: string; to: readonly string[] },
): Promise<void> {
  if (can(principal, "notification.manage")) return;
  const { urgent, locked } = categorySettings((await policyFind(principal)) ?? NO_POLICY, NO_PREFERENCES, category);
  if (urgent || locked) throw errors.category_reserved();
  for (const userId of to) await limits.consume("notification", "account", pairOf(principal, userId));
}

/** What one sender sends to one person is counted together. */
export const pairOf = (principal: Principal, userId: string): string =>
  `${principal.tenantId} ${actorOf(principal)} ${userId}`;
