// What becomes of notifications, against a reference that shares no code with the decision (reference.ts). The seed is printed;
// GROUNDWORK_NOTIFICATION_CASES=100000 makes more of them.
import { describe, expect, test } from "vitest";
import { decide, dayOf, disturbing, type Destinations, type Disturbing } from "../decision";
import { NO_POLICY, NO_PREFERENCES, policySchema, preferencesSchema, type Policy, type Preferences } from "../settings";
import { isZone } from "../../../security/time-zone";
import { firstReached, quietUntil } from "../zone-time";
import { clockChanges, dayIn, walkQuiet, zones } from "./reference";

const CASES = Number(process.env.GROUNDWORK_NOTIFICATION_CASES ?? 10_000);
const SEED = Number(process.env.GROUNDWORK_NOTIFICATION_SEED ?? 20_270_328);

function randomOf(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (max: number): number => Math.floor(next() * max);
  return { below, chance: (of: number) => next() < of, pick: <T>(from: readonly T[]): T => from[below(from.length)]! };
}
type Random = ReturnType<typeof randomOf>;

const YEAR_MS = Date.parse("2027-01-03T00:00Z");
const HOUR_MS = 3_600_000;
const utc = (text: string): number => Date.parse(text);

/** Half of them within a day and a half of a change of the zone's clocks, where days collide. */
function momentIn(random: Random, zone: string): number {
  if (random.chance(0.5)) return random.pick(clockChanges(zone)) + (random.below(72 * 60) - 36 * 60) * 60_000;
  return YEAR_MS + random.below(360 * 24 * 60 * 60) * 1_000;
}

/** Often around where clocks change, and often odd. */
function timeIn(random: Random): string {
  const hour = random.chance(0.5) ? random.pick([0, 1, 2, 3, 23, 22]) : random.below(24);
  const minute = random.chance(0.5) ? random.pick([0, 30, 15, 45]) : random.below(60);
  return `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
}

const categories = ["billing", "social", "security", "news"];
const switches = ["enabled", "toInApp", "toPush", "toEmails", "toSms"];

function categoryIn(random: Random): object {
  const said = Object.fromEntries(switches.flatMap((name) => (random.chance(0.4) ? [[name, random.chance(0.8)]] : [])));
  return { ...said, ...(random.chance(0.6) ? { dailyLimit: random.pick([null, 0, 1, 2, 3]) } : {}) };
}

const someOf = <T>(random: Random, from: readonly T[], chance: number): T[] => from.filter(() => random.chance(chance));

function worldIn(
  random: Random,
  zone: string,
): { policy: Policy; preferences: Preferences; destinations: Destinations } {
  const hours = (): { from: string; to: string } => ({ from: timeIn(random), to: timeIn(random) });
  const policy = {
    categories: Object.fromEntries(
      someOf(random, categories, 0.5).map((name) => [
        name,
        { ...categoryIn(random), urgent: name === "security" && random.chance(0.7), locked: random.chance(0.2) },
      ]),
    ),
    ...(random.chance(0.4) ? { quietHours: hours() } : {}),
    ...(random.chance(0.2) ? { quietHoursLocked: true } : {}),
    ...(random.chance(0.5) ? { timeZone: zone } : { timeZone: "UTC" }),
  };
  const isOwnZone = policy.timeZone !== zone || random.chance(0.5);
  const named = { email: ["a@x", "b@x"], push: ["p1", "p2"], sms: ["+1"] };
  const preferences = {
    categories: Object.fromEntries(someOf(random, categories, 0.5).map((name) => [name, categoryIn(random)])),
    ...(isOwnZone ? { timeZone: zone } : {}),
    ...(random.chance(0.7) ? { quietHours: random.chance(0.9) ? hours() : null } : {}),
    ...(random.chance(0.3) ? { includedEmails: someOf(random, ["a@x", "b@x", "gone@x"], 0.5) } : {}),
    ...(random.chance(0.3) ? { includedPush: someOf(random, ["p1", "p2", "gone"], 0.5) } : {}),
  };
  const there = (channel: Disturbing): string[] | null =>
    random.chance(0.1) ? null : someOf(random, named[channel], 0.8);
  return {
    policy: policySchema.parse(policy),
    preferences: preferencesSchema.parse(preferences),
    destinations: { email: there("email"), push: there("push"), sms: there("sms") },
  };
}

type World = ReturnType<typeof worldIn>;

interface Sent {
  atMs: number;
  category: string;
}

/** What became of each: for each channel a reason, or when and to what it was delivered. */
function byDecision(world: World, sent: readonly Sent[]): string[] {
  const counts = new Map<string, number>();
  const told = sent.map(() => "");
  const waiting = sent.map(({ atMs, category }, at) => ({ atMs, category, at }));
  for (;;) {
    waiting.sort((one, other) => one.atMs - other.atMs || one.at - other.at);
    const next = waiting.shift();
    if (next === undefined) return told;
    const key = `${next.category} ${dayOf(world.policy, world.preferences, next.atMs)}`;
    const input = { ...world, category: next.category, nowMs: next.atMs, countOfDay: counts.get(key) ?? 0 };
    const { inApp, channels, heldUntilMs, counts: isCounted } = decide(input);
    if (heldUntilMs !== undefined) {
      waiting.push({ ...next, atMs: heldUntilMs });
      continue;
    }
    if (isCounted) counts.set(key, (counts.get(key) ?? 0) + 1);
    const outcomes = channels.map((one) =>
      one.outcome === "deliver" ? `${next.atMs}→${one.to.join("+")}` : one.outcome === "held" ? "held" : one.reason,
    );
    told[next.at] = [inApp, ...outcomes].join(" ");
  }
}

/** The rules once more, from what the README says of them: an outcome for each channel before time and counts. */
function waysOf({ policy, preferences, destinations }: World, category: string, atMs: number): Record<string, string> {
  const ofPolicy = policy.categories[category];
  const own = ofPolicy?.locked ? undefined : preferences.categories[category];
  const on = (name: "enabled" | "toPush" | "toEmails" | "toSms"): boolean =>
    own?.[name] ?? ofPolicy?.[name] ?? name !== "toSms";
  const way = (isOn: boolean, there: readonly string[] | null, included: string[], isFirstOnly: boolean): string => {
    if (!on("enabled")) return "category_off";
    if (!isOn) return "channel_off";
    if (there === null) return "unsupported";
    if (there.length === 0) return "no_destination";
    const unnamed = isFirstOnly ? there.slice(0, 1) : there;
    const known = there.filter((one) => included.includes(one));
    const isUnnamed = ofPolicy?.locked || included.length === 0 || (isFirstOnly && known.length === 0);
    const chosen = isUnnamed ? unnamed : known;
    return chosen.length === 0 ? "not_included" : `${atMs}→${chosen.join("+")}`;
  };
  return {
    push: way(on("toPush"), destinations.push, preferences.includedPush, false),
    email: way(on("toEmails"), destinations.email, preferences.includedEmails, true),
    sms: way(on("toSms"), destinations.sms, preferences.includedSms, false),
  };
}

function quietEndOf({ policy, preferences }: World, zone: string, atMs: number): number | undefined {
  const own = preferences.quietHours === null ? undefined : (preferences.quietHours ?? policy.quietHours);
  const quiet = policy.quietHoursLocked ? policy.quietHours : own;
  if (quiet === undefined) return undefined;
  return zone === "UTC" ? walkUtc(quiet, atMs) : walkQuiet(zone, quiet, atMs);
}

function limitOf({ policy, preferences }: World, category: string): number {
  const ofPolicy = policy.categories[category];
  const own = ofPolicy?.locked ? undefined : preferences.categories[category];
  const limit = own?.dailyLimit === undefined ? ofPolicy?.dailyLimit : own.dailyLimit;
  return limit ?? Infinity;
}

function isShownOf({ policy, preferences }: World, category: string): boolean {
  const ofPolicy = policy.categories[category];
  const own = ofPolicy?.locked ? undefined : preferences.categories[category];
  return (own?.enabled ?? ofPolicy?.enabled ?? true) && (own?.toInApp ?? ofPolicy?.toInApp ?? true);
}

function byReference(world: World, sent: readonly Sent[]): string[] {
  const zone = world.preferences.timeZone ?? world.policy.timeZone ?? "UTC";
  const counts: Record<string, number> = {};
  const told: string[] = [];
  const queue = sent.map((one, at) => ({ ...one, at }));
  while (queue.length > 0) {
    const first = queue.reduce((best, one) =>
      one.atMs < best.atMs || (one.atMs === best.atMs && one.at < best.at) ? one : best,
    );
    const { atMs, category, at } = queue.splice(queue.indexOf(first), 1)[0]!;
    const outcomes = waysOf(world, category, atMs);
    const goes = Object.keys(outcomes).filter((name) => outcomes[name]!.includes("→"));
    if (goes.length > 0 && world.policy.categories[category]?.urgent !== true) {
      const until = quietEndOf(world, zone, atMs);
      if (until !== undefined) {
        queue.push({ atMs: until, category, at });
        continue;
      }
      const key = `${category}/${zone === "UTC" ? new Date(atMs).toISOString().slice(0, 10) : dayIn(zone, atMs)}`;
      const before = counts[key] ?? 0;
      if (before >= limitOf(world, category)) for (const name of goes) outcomes[name] = "daily_limit";
      else counts[key] = before + 1;
    }
    told[at] = [isShownOf(world, category), ...disturbing.map((name) => outcomes[name])].join(" ");
  }
  return told;
}

/** Where no clock changes the time of day alone tells. */
function walkUtc({ from, to }: { from: string; to: string }, atMs: number): number | undefined {
  const isQuiet = (ms: number): boolean => {
    const time = new Date(ms).toISOString().slice(11, 16);
    return from < to ? time >= from && time < to : from !== to && (time >= from || time < to);
  };
  if (!isQuiet(atMs)) return undefined;
  let ms = Math.floor(atMs / 60_000) * 60_000;
  while (isQuiet(ms)) ms += 60_000;
  return ms;
}

describe("decisions", () => {
  test("each of many notifications over a year with every change of twelve zones' clocks is delivered or withheld as the reference says", () => {
    const random = randomOf(SEED);
    const ofOne = 25;
    let compared = 0;
    const seen = new Map<string, number>();
    for (let person = 0; person * ofOne < CASES; person++) {
      const zone = zones[person % zones.length]!;
      const world = worldIn(random, zone);
      // Several in a row, so that limits are reached.
      const sent = Array.from({ length: ofOne / 5 }, () => momentIn(random, zone)).flatMap((atMs) =>
        Array.from({ length: 5 }, () => ({
          atMs: atMs + random.below(20) * HOUR_MS,
          category: random.pick(categories),
        })),
      );
      const told = byDecision(world, sent);
      expect(told, `person ${person} of seed ${SEED} in ${zone}: ${JSON.stringify(world)}`).toEqual(
        byReference(world, sent),
      );
      told.forEach((one, at) => {
        compared++;
        for (const part of one.split(" ").slice(1)) {
          const isLate = part.includes("→") && Number(part.split("→")[0]) !== sent[at]!.atMs;
          const kind = isLate ? "after quiet hours" : part.includes("→") ? "at once" : part;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      });
    }
    process.stdout.write(`${compared} notifications, seed ${SEED}: ${JSON.stringify(Object.fromEntries(seen))}\n`);
    expect(compared).toBeGreaterThanOrEqual(CASES);
    // Each outcome often enough that a rule which is wrong shows.
    for (const kind of [
      "at once",
      "after quiet hours",
      "daily_limit",
      "category_off",
      "channel_off",
      "no_destination",
      "not_included",
    ])
      expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(CASES / 100);
  });

  test("every minute around every change of the twelve zones' clocks is quiet or not as the reference says", () => {
    const hours = [
      { from: "22:00", to: "07:00" },
      { from: "02:15", to: "02:45" },
      { from: "01:30", to: "02:30" },
      { from: "00:00", to: "00:30" },
      { from: "23:30", to: "00:00" },
      { from: "02:30", to: "01:30" },
    ];
    for (const zone of zones)
      for (const change of clockChanges(zone))
        for (const one of hours)
          for (let minutes = -180; minutes <= 180; minutes += 5) {
            const atMs = change + minutes * 60_000;
            const where = `${zone} ${JSON.stringify(one)} ${new Date(atMs).toISOString()}`;
            expect(quietUntil(zone, one, atMs), where).toBe(walkQuiet(zone, one, atMs));
          }
  });

  test("an hour that comes twice is quiet once, one that is skipped ends when the clocks have gone forward", () => {
    const berlin = "Europe/Berlin";
    // 31 October: from 03:00 summer time back to 02:00. Quiet until 02:30 is over the first time.
    expect(quietUntil(berlin, { from: "22:00", to: "02:30" }, utc("2027-10-31T00:29:59Z"))).toBe(
      utc("2027-10-31T00:30Z"),
    );
    expect(quietUntil(berlin, { from: "22:00", to: "02:30" }, utc("2027-10-31T01:15Z"))).toBeUndefined();
    // 28 March: 02:30 does not come; the clocks show more than it at 03:00.
    expect(quietUntil(berlin, { from: "22:00", to: "02:30" }, utc("2027-03-28T00:59Z"))).toBe(utc("2027-03-28T01:00Z"));
    expect(firstReached(berlin, utc("2027-03-28T02:30Z"))).toBe(utc("2027-03-28T01:00Z"));
  });

  test("what a zone leaves out is left out: Samoa had no 30 December 2011", () => {
    expect(firstReached("Pacific/Apia", utc("2011-12-30T12:00Z"))).toBe(utc("2011-12-30T10:00Z"));
    // Both evenings are quiet: the first until its morning was left out, the second from then on.
    const night = { from: "22:00", to: "07:00" };
    expect(quietUntil("Pacific/Apia", night, utc("2011-12-30T09:00Z"))).toBe(utc("2011-12-30T10:00Z"));
    expect(quietUntil("Pacific/Apia", night, utc("2011-12-30T10:00Z"))).toBe(utc("2011-12-30T17:00Z"));
  });

  test("an offset, a zone that is none and a path are no zones", () => {
    for (const zone of ["+02:00", "Mars/Base", "../etc", "", "Europe/Berlin\n"]) expect(isZone(zone), zone).toBe(false);
    for (const zone of ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
      expect(isZone(zone)).toBe(true);
  });

  test("where nobody said anything: in the app, by push and by mail to the account's address, never by text message", () => {
    const destinations = { push: ["p"], email: ["own@x", "second@x"], sms: ["+1"] };
    const nowMs = utc("2027-06-01T12:00Z");
    const input = {
      category: "new",
      policy: NO_POLICY,
      preferences: NO_PREFERENCES,
      destinations,
      nowMs,
      countOfDay: 99,
    };
    expect(decide(input)).toEqual({
      inApp: true,
      channels: [
        { channel: "push", outcome: "deliver", to: ["p"] },
        { channel: "email", outcome: "deliver", to: ["own@x"] },
        { channel: "sms", outcome: "withheld", reason: "channel_off" },
      ],
      counts: true,
    });
  });
});
