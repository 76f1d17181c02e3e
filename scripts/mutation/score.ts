// The score of a mutation run: changes that a test noticed, of those that could be noticed. What runs while a module is
// loaded is left out (Stryker's `ignoreStatic`): each such change would need a process of its own.
// Source of the report's shape: mutation-testing-report-schema.
import { z } from "zod";

const reportSchema = z.object({
  files: z.record(z.string(), z.object({ mutants: z.array(z.object({ status: z.string() })) })),
});

export interface Tally {
  noticed: number;
  /** Of those noticed: by a suite that came to no end. On a machine that is too busy the change may not be the reason. */
  timeouts: number;
  missed: number;
}

export const emptyTally: Tally = { noticed: 0, timeouts: 0, missed: 0 };

const noticed: ReadonlySet<string> = new Set(["Killed", "Timeout"]);
const missed: ReadonlySet<string> = new Set(["Survived", "NoCoverage"]);

/** The tally of each changed file of a report. */
export function talliesOf(report: unknown): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const [file, { mutants }] of Object.entries(reportSchema.parse(report).files))
    tallies.set(file, {
      noticed: mutants.filter(({ status }) => noticed.has(status)).length,
      timeouts: mutants.filter(({ status }) => status === "Timeout").length,
      missed: mutants.filter(({ status }) => missed.has(status)).length,
    });
  return tallies;
}

export const addTally = (a: Tally, b: Tally): Tally => ({
  noticed: a.noticed + b.noticed,
  timeouts: a.timeouts + b.timeouts,
  missed: a.missed + b.missed,
});

/** In percent. Nothing to notice is no success. */
export const scoreOf = ({ noticed: hit, missed: lost }: Tally): number =>
  hit + lost === 0 ? 0 : (100 * hit) / (hit + lost);

export const describeTally = (name: string, tally: Tally): string =>
  `${name.padEnd(28)} ${scoreOf(tally).toFixed(1).padStart(5)} %  ${tally.noticed} of ${tally.noticed + tally.missed}` +
  (tally.timeouts === 0 ? "" : `, ${tally.timeouts} by timeout`);
