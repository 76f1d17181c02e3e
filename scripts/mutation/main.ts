// `npm run test:mutation [GROUP or FILE …]`: changes the rules of the plan one place at a time, runs the suites that hold
// them, and prints the share of changes that a test noticed: for each rule, each group and in all. Fails when a group is
// below 80 %.
// One run of Stryker for each entry of the plan. `--sample N` tries one change of each N, to know a score soon. FILE
// may name lines, as in `auth/refresh-token.ts:90-109`.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { plan, type PlanEntry } from "./plan";
import { addTally, describeTally, emptyTally, scoreOf, talliesOf, type Tally } from "./score";

const SCORE_MIN = 80;
/** Where stryker.config.json has it written. */
const reportFile = join(".groundwork", "mutation.json");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { concurrency: { type: "string" }, sample: { type: "string" } },
});

/** Of an entry, what was asked for: all of it when nothing was, or when its group was. */
function chosen(entry: PlanEntry): PlanEntry {
  if (positionals.length === 0 || positionals.includes(entry.group)) return entry;
  return { ...entry, rules: positionals.filter((text) => entry.rules.includes(text.split(":")[0] ?? "")) };
}

/** Pure entries of a group are one run: its start takes longer than all their suites. */
function merged(entries: readonly PlanEntry[]): PlanEntry[] {
  const runs: PlanEntry[] = [];
  for (const entry of entries) {
    const at = runs.findIndex(({ group, isPure }) => isPure && entry.isPure && group === entry.group);
    const other = runs[at];
    if (other === undefined) runs.push(entry);
    else runs[at] = { ...other, rules: [...other.rules, ...entry.rules], suites: [...other.suites, ...entry.suites] };
  }
  return runs;
}

/** Runs one entry. Undefined when Stryker could not: a suite fails as it is. */
function run(entry: PlanEntry): Map<string, Tally> | undefined {
  rmSync(reportFile, { force: true });
  const args = ["run", "--mutate", entry.rules.join(",")];
  if (values.concurrency !== undefined) args.push("--concurrency", values.concurrency);
  if (values.sample !== undefined) args.push("--checkers", "sampler");
  const { status } = spawnSync(join("node_modules", ".bin", "stryker"), args, {
    stdio: "inherit",
    env: {
      ...process.env,
      MUTATION_TESTS: entry.suites.join(","),
      MUTATION_KEEPS_WORKER: entry.isPure ? "yes" : "no",
      MUTATION_SAMPLE: values.sample ?? "1",
    },
  });
  if (status !== 0) return undefined;
  return talliesOf(JSON.parse(readFileSync(reportFile, "utf8")));
}

function main(): void {
  const entries = merged(plan.map(chosen).filter(({ rules }) => rules.length > 0));
  if (entries.length === 0) throw new Error(`no rule of the plan is meant by ${positionals.join(" ")}`);
  const groups = new Map<string, Tally>();
  const failed: string[] = [];
  for (const entry of entries) {
    const tallies = run(entry);
    if (tallies === undefined) failed.push(...entry.rules);
    for (const [file, tally] of tallies ?? []) {
      process.stdout.write(`${describeTally(file, tally)}\n`);
      groups.set(entry.group, addTally(groups.get(entry.group) ?? emptyTally, tally));
    }
  }
  for (const [group, tally] of groups) process.stdout.write(`${describeTally(group, tally)}\n`);
  const total = [...groups.values()].reduce(addTally, emptyTally);
  process.stdout.write(`${describeTally("total", total)}\n`);
  if (failed.length > 0) process.stdout.write(`not run, because their suites fail: ${failed.join(", ")}\n`);
  const isBelow = [...groups.values()].some((tally) => scoreOf(tally) < SCORE_MIN);
  if (isBelow || failed.length > 0) process.exitCode = 1;
}

main();
