// That no hosted service answers without the guard, asked once when a process starts: the architecture rule reads the
// sources, this looks at what was loaded. A runtime loads every service before it serves (all are in one program), so the
// first look mostly suffices; a module that waits while it is loaded gets a while, in which the process is not ready.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { registerProbe } from "../telemetry/probes";

const LOADED_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 50;

const guarded = new Set<string>();

/** Called where a service mounts the guard; the first one begins the check, so that nobody has to remember it. */
export function noteGuarded(service: string): void {
  // A test file loads the services that it uses, not all that the app has.
  if (guarded.size === 0 && cfg.env !== "test") void refuseUnguarded((code) => process.exit(code));
  guarded.add(service);
}

/** By every runtime: the services that this process answers for. */
const hostedServices = (): string[] => Object.keys(appMeta().deploy.hostedServices);

/** Ends the process when a hosted service does not mount the guard. Exported for its test. */
export async function refuseUnguarded(
  end: (code: number) => void,
  hosted: () => readonly string[] = hostedServices,
  loadedWithinMs = LOADED_WITHIN_MS,
): Promise<void> {
  const endsAtMs = performance.now() + loadedWithinMs;
  await new Promise(setImmediate);
  let open = hosted().filter((name) => !guarded.has(name));
  if (open.length === 0) return;
  const forget = registerProbe("guard", () =>
    open.length === 0 ? Promise.resolve() : Promise.reject(unguarded(open)),
  );
  while (open.length > 0 && performance.now() < endsAtMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS).unref());
    open = open.filter((name) => !guarded.has(name));
  }
  if (open.length === 0) return forget();
  logger("guard").fatal({ err: unguarded(open) }, "a service answers without the guard");
  end(1);
}

function unguarded([service = "", ...more]: readonly string[]): Error {
  const others = more.length === 0 ? "" : ` (and the same for ${more.join(", ")})`;
  return new Error(
    `the service ${service} answers without permissions and limits: write new Service("${service}", { middlewares: guardOf("${service}") }) in its encore.service.ts${others}`,
  );
}
