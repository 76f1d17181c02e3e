// `npm run test:mutation [GROUP or FILE …]`: changes the rules of the plan one place at a time, runs the suites that hold
// them, and prints the share of changes that a test noticed: for each group and in all. Fails below 80 %.
// One run of Stryker for each entry of the plan. FILE may name lines, as in `auth/refresh-token.ts:90-109`.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { plan, type PlanEntry } from "./plan";
import { addTally, describeTally, emptyTally, scoreOf, type Tally, tallyOf } from "./score";

const SCORE_MIN = 80;
/** Where stryker.config.json has it written. */
const reportFile = join(".groundwork", "mutation.json");

const { values, positionals } = parseArgs({ allowPositionals: true, options: { concurrency: { type: "string" } } });

/** Of an entry, what was asked for: all of it when nothing was, or when its group was. */
function chosen({ group, rules, suites }: PlanEntry): PlanEntry {
  if (positionals.length === 0 || positionals.includes(group)) return { group, rules, suites };
  const asked = positionals.filter((text) => rules.includes(text.split(":")[0] ?? ""));
  return { group, suites, rules: asked };
}

/** Runs one entry. Undefined when Stryker could not: a suite fails as it is. */
function run(entry: PlanEntry): Tally | undefined {
  rmSync(reportFile, { force: true });
  const args = ["run", "--mutate", entry.rules.join(",")];
  if (values.concurrency !== undefined) args.push("--concurrency", values.concurrency);
  const { status } = spawnSync(join("node_modules", ".bin", "stryker"), args, {
    stdio: "inherit",
    env: { ...process.env, MUTATION_TESTS: entry.suites.join(",") },
  });
  if (status !== 0) return undefined;
  return tallyOf(JSON.parse(readFileSync(reportFile, "utf8")));
}

function main(): void {
  const entries = plan.map(chosen).filter(({ rules }) => rules.length > 0);
  if (entries.length === 0) throw new Error(`no rule of the plan is meant by ${positionals.join(" ")}`);
  const groups = new Map<string, Tally>();
  const failed: string[] = [];
  for (const entry of entries) {
    const tally = run(entry);
    if (tally === undefined) failed.push(...entry.rules);
    else groups.set(entry.group, addTally(groups.get(entry.group) ?? emptyTally, tally));
  }
  for (const [group, tally] of groups) process.stdout.write(`${describeTally(group, tally)}\n`);
  const total = [...groups.values()].reduce(addTally, emptyTally);
  process.stdout.write(`${describeTally("total", total)}\n`);
  if (failed.length > 0) process.stdout.write(`not run, because their suites fail: ${failed.join(", ")}\n`);
  if (scoreOf(total) < SCORE_MIN || failed.length > 0) process.exitCode = 1;
}

main();
