// What who calls prefers, and the organisation's policy above it.
import { api } from "encore.dev/api";
import type { MaxLen } from "encore.dev/validate";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { putPolicy as changePolicy, putPreferences as changePreferences } from "../preferences";
import {
  categorySettings,
  NO_POLICY,
  NO_PREFERENCES,
  policySchema,
  preferencesSchema,
  quietHoursOf,
  zoneOf,
  type Policy,
  type Preferences,
} from "../settings";
import { policyFind, settingsFind } from "../store/settings";

interface CategoryPreference {
  enabled?: boolean;
  toInApp?: boolean;
  toPush?: boolean;
  toEmails?: boolean;
  toSms?: boolean;
  /** How many a day may disturb; null: as many as come. */
  dailyLimit?: number | null;
  /** Mails are gathered for so many minutes into one, from 5 to a day; null: each comes by itself. */
  digestMinutes?: number | null;
}

interface QuietHours {
  /** "22:00", of the time zone. */
  from: string;
  to: string;
}

interface PreferencesRequest {
  categories?: Record<string, CategoryPreference>;
  /** Verified addresses that are used; none named: the account's own. */
  includedEmails?: string[];
  /** Verified numbers that are used; none named: all. */
  includedSms?: string[];
  /** Push subscriptions that are used; none named: all. */
  includedPush?: string[];
  /** IANA: "Europe/Berlin". */
  timeZone?: string & MaxLen<64>;
  /** null: none, whatever the organisation has. */
  quietHours?: QuietHours | null;
  language?: string & MaxLen<10>;
}

interface CategoryInForce {
  enabled: boolean;
  toInApp: boolean;
  toPush: boolean;
  toEmails: boolean;
  toSms: boolean;
  dailyLimit: number | null;
  digestMinutes: number | null;
  /** Passes quiet hours and daily limits. */
  urgent: boolean;
  /** Your preferences do not change it. */
  locked: boolean;
}

interface InForce {
  /** Each category that you or the organisation said something of. */
  categories: Record<string, CategoryInForce>;
  timeZone: string;
  quietHours?: QuietHours;
}

interface PreferencesResponse {
  categories: Record<string, CategoryPreference>;
  includedEmails: string[];
  includedSms: string[];
  includedPush: string[];
  timeZone?: string;
  quietHours?: QuietHours | null;
  language?: string;
  /** What holds, of yours and the organisation's together. */
  inForce: InForce;
}

function shown(preferences: Preferences, policy: Policy): PreferencesResponse {
  const names = [...new Set([...Object.keys(policy.categories), ...Object.keys(preferences.categories)])];
  const quietHours = quietHoursOf(policy, preferences);
  return {
    ...preferences,
    inForce: {
      categories: Object.fromEntries(names.map((name) => [name, categorySettings(policy, preferences, name)])),
      timeZone: zoneOf(policy, preferences),
      ...(quietHours === undefined ? {} : { quietHours }),
    },
  };
}

/** What you prefer in this organisation, and what holds. */
export const getPreferences = api(
  { expose: true, auth: true, method: "GET", path: "/notifications/preferences", tags: ["can:notification.read"] },
  async (): Promise<PreferencesResponse> => {
    const principal = currentPrincipal();
    const { policy, preferences } = await settingsFind(principal, principal.subjectId);
    return shown(preferences ?? NO_PREFERENCES, policy ?? NO_POLICY);
  },
);

/** Sets what you prefer; what is left out is as if you had never said it. */
export const putPreferences = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/notifications/preferences",
    tags: ["can:notification.read"],
    bodyLimit: 65_536,
  },
  async (req: PreferencesRequest): Promise<PreferencesResponse> => {
    const principal = currentPrincipal();
    const preferences = parseInput(preferencesSchema, req);
    await changePreferences(principal, preferences);
    return shown(preferences, (await policyFind(principal)) ?? NO_POLICY);
  },
);

interface CategoryPolicy extends CategoryPreference {
  /** Passes quiet hours and daily limits. */
  urgent?: boolean;
  /** People's own preferences do not change it, nor can they unsubscribe from it. */
  locked?: boolean;
}

interface PolicyRequest {
  categories?: Record<string, CategoryPolicy>;
  timeZone?: string & MaxLen<64>;
  quietHours?: QuietHours;
  /** People have these quiet hours, whatever they prefer. */
  quietHoursLocked?: boolean;
  language?: string & MaxLen<10>;
}

interface PolicyResponse {
  categories: Record<string, CategoryPolicy>;
  timeZone?: string;
  quietHours?: QuietHours;
  quietHoursLocked?: boolean;
  language?: string;
}

/** The organisation's defaults and locks. */
export const getPolicy = api(
  { expose: true, auth: true, method: "GET", path: "/notifications/policy", tags: ["can:notification.manage"] },
  async (): Promise<PolicyResponse> => (await policyFind(currentPrincipal())) ?? NO_POLICY,
);

/** Sets them; what is left out goes. */
export const putPolicy = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/notifications/policy",
    tags: ["can:notification.manage"],
    bodyLimit: 65_536,
  },
  async (req: PolicyRequest): Promise<PolicyResponse> => {
    const policy = parseInput(policySchema, req);
    await changePolicy(currentPrincipal(), policy);
    return policy;
  },
);
