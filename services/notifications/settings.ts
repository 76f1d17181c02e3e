// What an organisation and its people say about notifications: the shapes, what holds where nobody said anything, and what comes of
// both together. An organisation's policy gives the defaults; a person's preferences go before them, unless the policy locks them.
import { z } from "zod";
import { isZone } from "../../security/time-zone";

export const CATEGORIES_MAX = 100;
export const INCLUDED_MAX = 20;

/** "billing", "security.sign-in": what a sender names and people switch. */
export const categoryName = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*$/, "is no name in small letters, like billing.invoice");

const timeOfDay = z.string().regex(/^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/, "is no time of day like 22:30");
const zone = z.string().max(64).refine(isZone, "is no time zone like Europe/Berlin");
export const languageTag = z.string().regex(/^[a-z]{2,3}(?:-[A-Z]{2})?$/, "is no language like de or pt-BR");
const quietHours = z.strictObject({ from: timeOfDay, to: timeOfDay });
const destinations = z.array(z.string().min(1).max(254)).max(INCLUDED_MAX);

const categoryFields = {
  enabled: z.boolean().optional(),
  toInApp: z.boolean().optional(),
  toPush: z.boolean().optional(),
  toEmails: z.boolean().optional(),
  toSms: z.boolean().optional(),
  dailyLimit: z.int().min(0).max(1_000).nullable().optional(),
  digestMinutes: z.int().min(5).max(1_440).nullable().optional(),
};

/** Counted before any is looked at: a body has room for a hundred thousand. */
const areFew = (all: unknown): boolean =>
  typeof all !== "object" || all === null || Object.keys(all).length <= CATEGORIES_MAX;
const categoriesOf = <T extends z.ZodType>(category: T) =>
  z.any().refine(areFew, `has more than ${CATEGORIES_MAX} categories`).pipe(z.record(categoryName, category));

/** A person's own. Nothing said: the policy's. */
export const preferencesSchema = z.strictObject({
  categories: categoriesOf(z.strictObject(categoryFields)).default({}),
  /** E-mail addresses, telephone numbers and push subscriptions that are used; none named: see `decision.ts`. */
  includedEmails: destinations.default([]),
  includedSms: destinations.default([]),
  includedPush: destinations.default([]),
  /** Of the person: their quiet hours, and their days. */
  timeZone: zone.optional(),
  /** null: none, whatever the policy says. */
  quietHours: quietHours.nullable().optional(),
  language: languageTag.optional(),
});
export type Preferences = z.output<typeof preferencesSchema>;

/** An organisation's. */
export const policySchema = z.strictObject({
  categories: categoriesOf(
    z.strictObject({
      ...categoryFields,
      /** Passes quiet hours and daily limits. */
      urgent: z.boolean().optional(),
      /** People's own preferences don't count: what the policy says of it holds. */
      locked: z.boolean().optional(),
    }),
  ).default({}),
  timeZone: zone.optional(),
  quietHours: quietHours.optional(),
  /** People have the policy's quiet hours, whatever they prefer. */
  quietHoursLocked: z.boolean().optional(),
  language: languageTag.optional(),
});
export type Policy = z.output<typeof policySchema>;

export const NO_PREFERENCES: Preferences = preferencesSchema.parse({});
export const NO_POLICY: Policy = policySchema.parse({});

/** What holds of a category for a person. */
export interface CategorySettings {
  enabled: boolean;
  toInApp: boolean;
  toPush: boolean;
  toEmails: boolean;
  toSms: boolean;
  /** null: as many as come. */
  dailyLimit: number | null;
  /** Mails are gathered for so long into one; null: each comes by itself. */
  digestMinutes: number | null;
  urgent: boolean;
  locked: boolean;
}

/** A text message costs money: it is for who asks for it. */
const BUILT_IN = {
  enabled: true,
  toInApp: true,
  toPush: true,
  toEmails: true,
  toSms: false,
  dailyLimit: null,
  digestMinutes: null,
};

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

const said = <T extends object>(given: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;

export function categorySettings(policy: Policy, preferences: Preferences, category: string): CategorySettings {
  const { urgent = false, locked = false, ...defaults } = own(policy.categories, category) ?? {};
  const preferred = locked ? {} : said(own(preferences.categories, category));
  return { ...BUILT_IN, ...said(defaults), ...preferred, urgent, locked };
}

/** A zone that an earlier Node knew, and this one does not, is as if it had not been said. */
export const zoneOf = (policy: Policy, preferences: Preferences): string =>
  [preferences.timeZone, policy.timeZone].find((named) => named !== undefined && isZone(named)) ?? "UTC";

export const languageOf = (policy: Policy, preferences: Preferences): string =>
  preferences.language ?? policy.language ?? "en";

export function quietHoursOf(policy: Policy, preferences: Preferences): { from: string; to: string } | undefined {
  if (policy.quietHoursLocked === true) return policy.quietHours;
  return preferences.quietHours === undefined ? policy.quietHours : (preferences.quietHours ?? undefined);
}
