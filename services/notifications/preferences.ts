// Changing what people and organisations prefer.
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import { withTenant, type TenantScope } from "../../db/tenant";
import type { Principal } from "../../security/principal";
import { contactsOf } from "./contacts";
import { destinationsOf } from "./destinations";
import { errors } from "./errors";
import { SUBSCRIPTIONS_MAX } from "./limits";
import { CATEGORIES_MAX, NO_PREFERENCES, type Policy, type Preferences } from "./settings";
import { subscriptionList } from "./store/push";
import { policyPut, preferenceLock, preferencePut } from "./store/settings";

/** @throws APIError destination_not_verified */
export async function putPreferences(principal: Principal, preferences: Preferences): Promise<void> {
  const { tenantId, subjectId } = principal;
  await requireVerified(principal, preferences);
  await withTenant(principal, async (tx) => {
    await preferenceLock(tx, tenantId, subjectId);
    await preferencePut(tx, tenantId, subjectId, preferences);
  });
}

async function requireVerified(principal: Principal, preferences: Preferences): Promise<void> {
  const { includedEmails, includedSms, includedPush } = preferences;
  if (includedEmails.length + includedSms.length + includedPush.length === 0) return;
  const contact = (await contactsOf(principal, [principal.subjectId])).get(principal.subjectId);
  const browsers = await subscriptionList(principal, principal.subjectId, SUBSCRIPTIONS_MAX);
  const there = destinationsOf(
    contact ?? {},
    browsers.map(({ id }) => id),
  );
  const fields: Record<string, string> = {};
  const check = (field: string, named: readonly string[], known: readonly string[] | null): void => {
    named.forEach((one, at) => {
      if (known?.includes(one) !== true) fields[`${field}.${at}`] = "is not verified as yours";
    });
  };
  check("includedEmails", includedEmails, there.email);
  check("includedSms", includedSms, there.sms);
  check("includedPush", includedPush, there.push);
  if (Object.keys(fields).length > 0) throw errors.destination_not_verified({ fields });
}

/**
 * Ends the mails of a category to somebody; of a category that is locked too, should the lock ever go. An old mail of an
 * organisation that is gone, or that they left, changes nothing: no mail comes, and nothing would remove what is written.
 * @throws APIError too_many_categories
 */
export async function endMails(scope: TenantScope, userId: string, category: string): Promise<void> {
  if (!(await contactsOf(scope, [userId])).has(userId)) return;
  await withTenant(scope, async (tx) => {
    const before = (await preferenceLock(tx, scope.tenantId, userId)) ?? NO_PREFERENCES;
    const own = Object.hasOwn(before.categories, category) ? before.categories[category] : {};
    const categories = { ...before.categories, [category]: { ...own, toEmails: false } };
    if (Object.keys(categories).length > CATEGORIES_MAX) throw errors.too_many_categories();
    await preferencePut(tx, scope.tenantId, userId, { ...before, categories });
  });
}

const policyChanged = defineAction("notifications.policy.changed", { categories: "plain", locked: "plain" });

export async function putPolicy(principal: Principal, policy: Policy): Promise<void> {
  await withTenant(principal, async (tx) => {
    await policyPut(tx, principal.tenantId, policy);
    const all = Object.entries(policy.categories);
    const locked = all.filter(([, category]) => category.locked === true).map(([name]) => name);
    const fields = { categories: all.length, locked: locked.join(" ").slice(0, 1_000) };
    await record(tx, policyChanged, { target: { type: "notification_policy", id: principal.tenantId }, fields });
  });
}
