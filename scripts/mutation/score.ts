// The score of a mutation run: changes that a test noticed, of those that could be noticed. What runs while a module is
// loaded is left out (Stryker's `ignoreStatic`): each such change would need a process of its own.
// Source of the report's shape: mutation-testing-report-schema.
import { z } from "zod";

const reportSchema = z.object({
  files: z.record(z.string(), z.object({ mutants: z.array(z.object({ status: z.string() })) })),
});

export interface Tally {
  noticed: number;
  missed: number;
}

export const emptyTally: Tally = { noticed: 0, missed: 0 };

const noticed: ReadonlySet<string> = new Set(["Killed", "Timeout"]);
const missed: ReadonlySet<string> = new Set(["Survived", "NoCoverage"]);

export function tallyOf(report: unknown): Tally {
  const statuses = Object.values(reportSchema.parse(report).files).flatMap(({ mutants }) =>
    mutants.map((m) => m.status),
  );
  return {
    noticed: statuses.filter((status) => noticed.has(status)).length,
    missed: statuses.filter((status) => missed.has(status)).length,
  };
}

export const addTally = (a: Tally, b: Tally): Tally => ({
  noticed: a.noticed + b.noticed,
  missed: a.missed + b.missed,
});

/** In percent. Nothing to notice is no success. */
export const scoreOf = ({ noticed: hit, missed: lost }: Tally): number =>
  hit + lost === 0 ? 0 : (100 * hit) / (hit + lost);

export const describeTally = (name: string, tally: Tally): string =>
  `${name.padEnd(10)} ${scoreOf(tally).toFixed(1).padStart(5)} %  ${tally.noticed} of ${tally.noticed + tally.missed}`;
