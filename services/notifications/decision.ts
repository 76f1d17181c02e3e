// What becomes of one notification for one person, at one moment. Pure: the moment, what the person prefers and what was
// counted arrive as arguments. Asked when a notification is sent, and again when quiet hours that held it are over. In this order:
//
//   1 the category is off        nothing, not even in the app
//   2 in the app                 shown at once, whatever holds the rest: it disturbs nobody
//   3 a channel is off, or has no verified destination    withheld in that channel, with the reason
//   4 quiet hours hold           what is left is held until they end, then decided anew; once
//   5 the day's limit is reached what is left is withheld
//   6                            delivered to each destination, mails perhaps with others of an hour (`digestMinutes`);
//                                together that counts one of the day
//
// An urgent category passes 4 and 5, waits for no others, and counts nothing. A day is the person's, in their time zone, by the moment of delivery.
import {
  categorySettings,
  quietHoursOf,
  zoneOf,
  type CategorySettings,
  type Policy,
  type Preferences,
} from "./settings";
import { localDay, quietUntil } from "./zone-time";

/** The channels that disturb, in the order in which receipts list them. */
export const disturbing = ["push", "email", "sms"] as const;
export type Disturbing = (typeof disturbing)[number];
export type Channel = "in_app" | Disturbing;

export type WithheldReason =
  "category_off" | "channel_off" | "no_destination" | "not_included" | "daily_limit" | "unsupported";

/** What there is of a person's to deliver to: verified addresses, live subscriptions. null: this installation has no such channel. */
export type Destinations = Readonly<Record<Disturbing, readonly string[] | null>>;

export interface DecisionInput {
  category: string;
  policy: Policy;
  preferences: Preferences;
  destinations: Destinations;
  /** By the database's clock. */
  nowMs: number;
  /** Quiet hours have held it, and that is over: who comes late finds it quiet again, and it would be held for ever. */
  isDue?: boolean;
  /** How many of the category were delivered to the person on that day (`dayOf`). */
  countOfDay: number;
}

export type ChannelDecision =
  | {
      channel: Disturbing;
      outcome: "deliver";
      to: readonly string[];
      /** Of mails: it is gathered with others, and sent at the latest so long from now. */
      digestMinutes?: number;
    }
  | { channel: Disturbing; outcome: "held" }
  | { channel: Disturbing; outcome: "withheld"; reason: WithheldReason };

export interface Decision {
  /** Whether the inbox shows it. */
  inApp: boolean;
  /** One for each channel that disturbs. */
  channels: readonly ChannelDecision[];
  /** When quiet hours end that hold something; undefined when nothing is held. */
  heldUntilMs?: number;
  /** Whether it counts as one of the day. */
  counts: boolean;
}

const switchOf = { push: "toPush", email: "toEmails", sms: "toSms" } as const satisfies Record<
  Disturbing,
  keyof CategorySettings
>;
const includedOf = { push: "includedPush", email: "includedEmails", sms: "includedSms" } as const satisfies Record<
  Disturbing,
  keyof Preferences
>;

/** The person's day at a moment, which the daily limit counts by. */
export const dayOf = (policy: Policy, preferences: Preferences, nowMs: number): string =>
  localDay(zoneOf(policy, preferences), nowMs);

export function decide(input: DecisionInput): Decision {
  const settings = categorySettings(input.policy, input.preferences, input.category);
  const channels = disturbing.map((channel) => wanted(input, settings, channel));
  const inApp = settings.enabled && settings.toInApp;
  if (settings.urgent || !channels.some(({ outcome }) => outcome === "deliver"))
    return { inApp, channels, counts: false };
  const heldUntilMs = input.isDue === true ? undefined : quietEndAt(input);
  if (heldUntilMs !== undefined)
    return { inApp, channels: instead(channels, { outcome: "held" }), heldUntilMs, counts: false };
  if (settings.dailyLimit !== null && input.countOfDay >= settings.dailyLimit)
    return { inApp, channels: instead(channels, { outcome: "withheld", reason: "daily_limit" }), counts: false };
  return { inApp, channels, counts: true };
}

/** What the switches and addresses say, before time and counts. Exported for what is about to be sent: somebody may have switched meanwhile. */
export function wanted(
  { preferences, destinations }: Pick<DecisionInput, "preferences" | "destinations">,
  settings: CategorySettings,
  channel: Disturbing,
): ChannelDecision {
  const withheld = (reason: WithheldReason): ChannelDecision => ({ channel, outcome: "withheld", reason });
  if (!settings.enabled) return withheld("category_off");
  if (!settings[switchOf[channel]]) return withheld("channel_off");
  const there = destinations[channel];
  if (there === null) return withheld("unsupported");
  if (there.length === 0) return withheld("no_destination");
  const included = settings.locked ? [] : preferences[includedOf[channel]];
  const named = there.filter((one) => included.includes(one));
  // None named, or none that is still theirs, as after a change of the account's address: that address, which is the first. Of
  // the others, none named: all.
  const to = channel === "email" ? (named.length > 0 ? named : there.slice(0, 1)) : included.length > 0 ? named : there;
  if (to.length === 0) return withheld("not_included");
  const { digestMinutes } = settings;
  const isGathered = channel === "email" && digestMinutes !== null && !settings.urgent;
  return { channel, outcome: "deliver", to, ...(isGathered ? { digestMinutes } : {}) };
}

/** When the quiet hours end that hold now for somebody; undefined when none do. */
export function quietEndAt({
  policy,
  preferences,
  nowMs,
}: Pick<DecisionInput, "policy" | "preferences" | "nowMs">): number | undefined {
  const hours = quietHoursOf(policy, preferences);
  return hours && quietUntil(zoneOf(policy, preferences), hours, nowMs);
}

type Instead = { outcome: "held" } | { outcome: "withheld"; reason: WithheldReason };

const instead = (channels: readonly ChannelDecision[], other: Instead): ChannelDecision[] =>
  channels.map((decided) => (decided.outcome === "deliver" ? { channel: decided.channel, ...other } : decided));
