// Reads vitest's JSON reports. `report.mjs count FILE` prints "PASSED FAILED"; `report.mjs failures FILE…` prints every
// test that failed with the first lines of why. A file whose import or hook failed counts as one failure.
import { readFileSync } from "node:fs";
import { relative } from "node:path";

const LINES = 25;
const WIDTH = 300;

const [command, ...files] = process.argv.slice(2);
const reports = files.map((file) => JSON.parse(readFileSync(file, "utf8")));

const failuresOf = ({ name, message, status, assertionResults }) => {
  const failed = assertionResults
    .filter((test) => test.status === "failed")
    .map((test) => ({ file: name, test: test.fullName, why: test.failureMessages.join("\n") }));
  return status === "failed" && failed.length === 0 ? [{ file: name, test: "the file itself", why: message }] : failed;
};
const failures = reports.flatMap((report) => report.testResults.flatMap(failuresOf));

if (command === "count") {
  process.stdout.write(`${reports.reduce((sum, report) => sum + report.numPassedTests, 0)} ${failures.length}\n`);
} else {
  for (const { file, test, why } of failures) {
    const lines = why
      .split("\n")
      .filter((line) => !/^\s+at .*node_modules/.test(line))
      .slice(0, LINES);
    process.stdout.write(
      `${relative(".", file)}: ${test}\n${lines.map((line) => `    ${line.slice(0, WIDTH)}\n`).join("")}\n`,
    );
  }
}
