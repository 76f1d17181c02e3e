// Migrations have ascending numbers in the order in which they were committed. A file that arrives later with a lower
// number would run on new databases only: the host refuses it on all others (runtime/infra/migrations.ts), so it is
// refused here before it is merged. The order is git's; without a history (an archive) only the names are checked.
import { execFileSync } from "node:child_process";
import type { Project, Rule, Violation } from "../project";

const FILE = /^migrations\/[^/]+$/;
const NAME = /^migrations\/([1-9]\d*)_[a-z0-9]+(?:_[a-z0-9]+)*\.up\.sql$/;

const violation = (file: string, message: string): Violation => ({ rule: "migration-order", file, line: 1, message });

const numberOf = (file: string): number => Number(NAME.exec(file)?.[1]);

/** Files in groups, one for each commit that added some, the oldest first. */
function addedByCommit(root: string): string[][] {
  try {
    const log = execFileSync(
      "git",
      [
        "log",
        "--reverse",
        // In the order in which they came to this branch, whenever they were written on another.
        "--first-parent",
        "-m",
        "--no-renames",
        "--diff-filter=A",
        "--format=%x00",
        "--name-only",
        "--relative",
        "--",
        "migrations",
      ],
      { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
    return log.split("\0").map((group) => group.split("\n").filter((line) => line !== ""));
  } catch {
    return []; // no checkout, or no git
  }
}

function outOfOrder(root: string, files: string[]): Violation[] {
  const waiting = new Set(files);
  const groups = addedByCommit(root).map((group) => group.filter((file) => waiting.delete(file)));
  const found: Violation[] = [];
  let highest = 0;
  // What is left is not committed yet: the newest.
  for (const group of [...groups, [...waiting]]) {
    for (const file of group)
      if (numberOf(file) < highest)
        found.push(
          violation(
            file,
            `came after number ${highest} and would never run on a database that has it: give it the next free number, above all others`,
          ),
        );
    highest = Math.max(highest, ...group.map(numberOf));
  }
  return found;
}

function duplicates(files: string[]): Violation[] {
  const first = new Map<number, string>();
  return files.flatMap((file) => {
    const before = first.get(numberOf(file));
    if (before === undefined) first.set(numberOf(file), file);
    return before === undefined ? [] : [violation(file, `has the number of ${before}: give one of them another`)];
  });
}

function check(project: Project): Violation[] {
  const files = project.files.filter((path) => FILE.test(path));
  const named = files.filter((file) => NAME.test(file));
  return [
    ...files
      .filter((file) => !NAME.test(file))
      .map((file) => violation(file, "is not named <number>_<verb>_<object>.up.sql: nothing would run it")),
    ...duplicates(named),
    ...outOfOrder(project.root, named),
  ];
}

export const migrationOrder: Rule = {
  name: "migration-order",
  promise: "migrations have one number each, ascending in the order in which they were committed",
  check,
};
