// A second way to tell what becomes of a notification, which shares nothing with the first: the clocks of twelve zones in 2027 from a
// table instead of the runtime's zone data, quiet hours by walking through the minutes instead of looking instants up, and the rules
// of decision.ts written out once more.
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Minutes ahead of UTC at the year's beginning, and each change. From the IANA database, by Python's zoneinfo. */
const CLOCKS: Readonly<Record<string, readonly [number, ...(readonly [string, number])[]]>> = {
  "Europe/Berlin": [60, ["2027-03-28T01:00Z", 120], ["2027-10-31T01:00Z", 60]],
  "Europe/London": [0, ["2027-03-28T01:00Z", 60], ["2027-10-31T01:00Z", 0]],
  "Atlantic/Azores": [-60, ["2027-03-28T01:00Z", 0], ["2027-10-31T01:00Z", -60]],
  "America/New_York": [-300, ["2027-03-14T07:00Z", -240], ["2027-11-07T06:00Z", -300]],
  "America/St_Johns": [-210, ["2027-03-14T05:30Z", -150], ["2027-11-07T04:30Z", -210]],
  "America/Santiago": [-180, ["2027-04-04T03:00Z", -240], ["2027-09-05T04:00Z", -180]],
  "America/Havana": [-300, ["2027-03-14T05:00Z", -240], ["2027-11-07T05:00Z", -300]],
  "Australia/Sydney": [660, ["2027-04-03T16:00Z", 600], ["2027-10-02T16:00Z", 660]],
  "Australia/Lord_Howe": [660, ["2027-04-03T15:00Z", 630], ["2027-10-02T15:30Z", 660]],
  "Pacific/Auckland": [780, ["2027-04-03T14:00Z", 720], ["2027-09-25T14:00Z", 780]],
  "Pacific/Chatham": [825, ["2027-04-03T14:00Z", 765], ["2027-09-25T14:00Z", 825]],
  "Africa/Cairo": [120, ["2027-04-29T22:00Z", 180], ["2027-10-28T21:00Z", 120]],
};
export const zones: readonly string[] = Object.keys(CLOCKS);

const changesOf = (zone: string): { first: number; changes: { atMs: number; minutes: number }[] } => {
  const [first, ...changes] = CLOCKS[zone] ?? [0];
  return { first, changes: changes.map(([at, minutes]) => ({ atMs: Date.parse(at), minutes })) };
};

/** The moments at which the zone's clocks change. */
export const clockChanges = (zone: string): number[] => changesOf(zone).changes.map(({ atMs }) => atMs);

function clockOf(zone: string): (atMs: number) => number {
  const { first, changes } = changesOf(zone);
  return (atMs) => {
    let minutes = first;
    for (const change of changes) if (atMs >= change.atMs) minutes = change.minutes;
    return atMs + minutes * MINUTE_MS;
  };
}

export const dayIn = (zone: string, atMs: number): string => new Date(clockOf(zone)(atMs)).toISOString().slice(0, 10);

const minutesOf = (time: string): number => Number(time.split(":")[0]) * 60 + Number(time.split(":")[1]);

/** Walks from two days before: a day's quiet hours open when its clock has come to `from`, and close when it has come to `to`. */
export function walkQuiet(zone: string, hours: { from: string; to: string }, atMs: number): number | undefined {
  const clock = clockOf(zone);
  const [from, to] = [minutesOf(hours.from) * MINUTE_MS, minutesOf(hours.to) * MINUTE_MS];
  if (from === to) return undefined;
  const over = to < from ? DAY_MS : 0;
  const open = new Set<number>();
  const begin = Math.floor((atMs - 2 * DAY_MS) / MINUTE_MS) * MINUTE_MS;
  let furthest = clock(begin);
  for (let minute = begin + MINUTE_MS; ; minute += MINUTE_MS) {
    if (minute > atMs && open.size === 0) return undefined;
    const now = clock(minute);
    if (now > furthest) {
      const firstDay = Math.floor(furthest / DAY_MS) - 1;
      for (let day = firstDay; day <= Math.floor(now / DAY_MS); day++) {
        const [opens, closes] = [day * DAY_MS + from, day * DAY_MS + over + to];
        if (opens > furthest && opens <= now) open.add(day);
        if (closes > furthest && closes <= now) open.delete(day);
      }
      furthest = now;
    }
    if (minute > atMs && open.size === 0) return minute;
  }
}
