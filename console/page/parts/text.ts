// Numbers and times as people read them.

const count = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const countText = (value: number | null): string => (value === null ? "unknown" : count.format(value));
export const clockText = (at: number | string): string => clock.format(new Date(at));
export const dayText = (at: number | string): string => day.format(new Date(at));

const MIB = 2 ** 20;
export const bytesText = (bytes: number): string =>
  bytes < MIB ? `${count.format(Math.round(bytes / 1024))} KiB` : `${count.format(Math.round(bytes / MIB))} MiB`;

/** In the largest unit that leaves a whole number worth reading. */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function millisText(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
