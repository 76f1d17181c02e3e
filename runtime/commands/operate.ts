// What an operator does with a built folder, in an image by `node host/start.js COMMAND …`: no parser, no bundler.
import { startInfra } from "../infra";
import { UsageError } from "./app-root";
import { backupCommand } from "./backup";
import type { CommandInput } from "./command-input";
import { say } from "./console";
import { doctorCommand } from "./doctor";
import { builtInstallation, type Installation } from "./installation";
import { restoreCommand } from "./restore";
import { migrateAll } from "./serve";

/** For a deployment's job, before its new processes start. */
async function migrateBuilt({ env }: CommandInput, { root, stateDir, model }: Installation): Promise<void> {
  const infra = await startInfra({ appRoot: root, stateDir, env, model, log: say });
  try {
    await migrateAll(root, model, infra, env);
    say("✓ migrations are applied");
  } finally {
    await infra.stop();
  }
}

const operations: Record<string, (input: CommandInput, installation: Installation) => Promise<void>> = {
  backup: backupCommand,
  doctor: doctorCommand,
  restore: restoreCommand,
  migrate: migrateBuilt,
};

/** @throws UsageError for a word that is none of them */
export async function operate(dir: string, name: string, input: CommandInput): Promise<void> {
  const operation = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (!operation)
    throw new UsageError(
      `there is no command "${name}" here: ${Object.keys(operations).join(", ")}, or none to start the app`,
    );
  input.env.NODE_ENV ??= "production";
  await operation(input, builtInstallation(dir, input.env));
}
