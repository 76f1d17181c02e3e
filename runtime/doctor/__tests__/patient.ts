// An installation without a fault, to plant one in.
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { modelWith, temporaryFolder } from "../../infra/__tests__/support";
import type { AppModel } from "../../model";
import { examine, type FindingCode, type Patient } from "..";

export const model: AppModel = {
  ...modelWith("app"),
  packages: [{ secrets: ["MasterKey"] }] as never,
  topics: [{ name: "orders", subscriptions: [{ name: "bill" }] }] as never,
};

export function healthy(): Patient {
  const root = temporaryFolder();
  const stateDir = join(root, ".groundwork");
  mkdirSync(stateDir);
  return {
    root,
    stateDir,
    model,
    env: { MasterKey: randomBytes(32).toString("base64"), GROUNDWORK_BASE_URL: "https://localhost" },
    isProduction: true,
    databases: [],
    listen: { host: "127.0.0.1", port: 0 },
    isRunning: false,
    nodeVersion: "24.11.0",
    now: () => new Date(),
  };
}

/** The codes of what is found; every finding names a remedy. */
export async function codesOf(patient: Patient): Promise<FindingCode[]> {
  const findings = await examine(patient);
  for (const { what, remedy } of findings)
    if (what === "" || remedy === "") throw new Error(`without a remedy: ${what}`);
  return findings.map(({ code }) => code);
}
