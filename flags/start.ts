// What a service does when it is loaded and asks for flags of organisations, or lets somebody set them.
import { cfg, flags } from "../config";
import { overrideMemory } from "./memory";

/** Called by each encore.service.ts of such a service; more than once does no more. */
export function startFlags(): void {
  flags.overrideForOrganisations((tenantId, name) => overrideMemory.valueOf(tenantId, name));
  // A test reads when it needs to.
  if (cfg.env !== "test") overrideMemory.start();
}
