// Looks at an installation from outside, changes nothing, and names what is wrong with the remedy.
import { databases } from "./databases";
import { baseUrl, cors, metrics } from "./edge";
import { type Check, type Finding, type Patient, warning } from "./finding";
import { migrations } from "./migrations";
import { node, port, stateFolder } from "./process";
import { redis } from "./redis";
import { files, values } from "./secrets";
import { topics } from "./topics";

export { type Finding, type FindingCode, findingCodes, type Patient } from "./finding";

const checks: Record<string, Check> = {
  ...{ node, stateFolder, port, secrets: values, secretFiles: files, cors, baseUrl, metrics },
  ...{ databases, migrations, redis, topics },
};

/** Every check runs, whatever the others find; the worst first. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      found.push(...(await check(patient)));
    } catch (failure) {
      found.push(
        warning(
          "check_failed",
          `the check "${name}" could not be made: ${failure instanceof Error ? failure.message : String(failure)}`,
          "What the other checks found may be the reason; else use an operator's login.",
        ),
      );
    }
  }
  return found.sort((a, b) => Number(b.severity === "error") - Number(a.severity === "error"));
}
