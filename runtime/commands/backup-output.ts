// What a person sees of a backup or a restore while it works, and of what it had.
import { dim, say } from "./console";

const EVERY_MS = 2_000;

/** Says how far it is, at most every two seconds. */
export function progressLines(now: () => number = () => performance.now()): (count: number, what: string) => void {
  let saidAt = now();
  let label = "";
  let total = 0;
  return (count, what) => {
    if (what !== label) [label, total] = [what, 0];
    total += count;
    if (now() - saidAt < EVERY_MS) return;
    saidAt = now();
    say(dim(`  … ${label} ${total.toLocaleString("en")}`));
  };
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"] as const;

export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power] ?? ""}`;
}

export function contentText(rows: Record<string, number>, objects: Record<string, number>): string {
  const parts = [
    ...Object.entries(rows).map(([name, count]) => `${name}: ${count.toLocaleString("en")} rows`),
    ...Object.entries(objects).map(([name, count]) => `${name}: ${count.toLocaleString("en")} objects`),
  ];
  return parts.length === 0 ? "nothing: the app has neither databases nor buckets" : parts.join(", ");
}
