// Time zones by IANA's names, as the runtime knows them.
import { RecentMap } from "./recent-map";

const formats = new RecentMap<Intl.DateTimeFormat>(500);

/** What writes an instant as the zone's clocks show it. @throws RangeError for a zone that the runtime does not know */
export function clocksOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "iso8601",
      hourCycle: "h23",
      ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" },
    });
    formats.set(zone, format);
  }
  return format;
}

/** Whether the runtime knows the zone by a name: what is only an offset ("+02:00") has no summer. */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{1,63}$/.test(zone)) return false;
  try {
    clocksOf(zone);
    return true;
  } catch {
    return false;
  }
}
