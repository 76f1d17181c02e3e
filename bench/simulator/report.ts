// What a run is told by.
import { quantile, RECOVERY_P99_MS } from "./checker";
import type { Intent } from "./ledger";
import type { Outcome } from "./run";

const FINDINGS_SHOWN = 20;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

function count<T>(entries: readonly T[], keyOf: (entry: T) => string): string {
  const counts = new Map<string, number>();
  for (const entry of entries) counts.set(keyOf(entry), (counts.get(keyOf(entry)) ?? 0) + 1);
  return [...counts].map(([key, number]) => `${number} ${key}`).join(", ");
}

/** Lines for people, the last of them the verdict. */
export function reportOf({ history, verdict, quietWaitMs, seconds: took }: Outcome, seed: number): string[] {
  const { intents, effects, faults } = history;
  const { findings, recoveriesMs, longestWaitMs } = verdict;
  const repeats = intents.reduce((sum, { tries }: Intent) => sum + tries - 1, 0);
  const byKind = [...new Set(faults.map(({ kind }) => kind))].map((kind) => {
    const own = recoveriesMs.filter((_, at) => faults[at]?.kind === kind);
    return `  ${kind.padEnd(14)} ${String(own.length).padStart(5)}   recovery p50 ${seconds(quantile(own, 0.5))}, p99 ${seconds(quantile(own, 0.99))}, most ${seconds(quantile(own, 1))}`;
  });
  return [
    `simulator: seed ${seed}, ${faults.length} faults in ${took.toFixed(0)} s`,
    `  ${intents.length} intents (${count(intents, ({ kind }) => kind)}), asked for again ${repeats} times; ${effects.length} effects`,
    ...byKind,
    `  recovery of all p50 ${seconds(quantile(recoveriesMs, 0.5))}, p99 ${seconds(quantile(recoveriesMs, 0.99))} (goal ${seconds(RECOVERY_P99_MS)}; the longest wait in quiet was ${seconds(quietWaitMs)}); longest wait of any intent ${seconds(longestWaitMs)}`,
    ...findings.slice(0, FINDINGS_SHOWN).map(({ kind, text }) => `  ${kind.toUpperCase()}: ${text}`),
    findings.length === 0 ? "  nothing lost, repeated, out of order or stuck" : `  ${findings.length} findings`,
  ];
}
