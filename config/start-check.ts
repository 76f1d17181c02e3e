// What a service cannot do without is asked for when it is loaded, not when the first request has half done its work:
// on a runtime that starts without it, an account would be stored and the answer still be a 500.

import { inspect } from "node:util";

/** Thrown while a service is loaded; names everything that it lacks and what to do. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/**
 * Calls every check; each throws when what it names is missing or unusable. All complaints are told at once.
 * @throws StartError
 */
export function requireAtStart(service: string, checks: Readonly<Record<string, () => void>>): void {
  const complaints: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      check();
    } catch (error) {
      complaints.push(
        `  ${name}: ${error instanceof Error ? error.message : `cannot be read: its check threw ${inspect(error)}`}`,
      );
    }
  }
  if (complaints.length > 0)
    throw new StartError(`the service ${service} cannot start without:\n${complaints.join("\n")}`);
}
