// Whose is the thing that a path names? An endpoint tagged `owns:job` is for who owns it and for holders of
// `job.manage`; the room that keeps the thing says whose it is, once, and the guard asks. So no handler compares ids by
// hand, where one that forgets lets everybody in (OWASP API Security Top 10 2023, API1: broken object level authorization).
import { currentRequest } from "encore.dev";
import { logger } from "../telemetry/logger";
import { commonErrors } from "./common-errors";
import type { Ownership } from "./endpoint-policy";
import { can, type Permission } from "./permissions";
import { actorOf, type Principal } from "./principal";

/**
 * The actor ("user:ID") that owns the thing of the caller's organisation with this id, which may be any text; undefined when
 * there is no such thing: then the endpoint runs and says so in its own words, the same for a foreign one.
 */
export type OwnerOf = (principal: Principal, id: string) => Promise<string | undefined>;

const lookups = new Map<string, OwnerOf>();

/** Says whose a thing is. By the room that keeps it, beside its endpoints. */
export function declareOwner(thing: string, ownerOf: OwnerOf): void {
  lookups.set(thing, ownerOf);
}

/** @throws APIError permission_denied, also when nobody says whose the thing is */
export async function checkOwner({ thing, unless }: Ownership, principal: Principal, route: string): Promise<void> {
  if (can(principal, unless)) return;
  const ownerOf = lookups.get(thing);
  const id = pathId();
  if (ownerOf === undefined || id === undefined) {
    const problem = ownerOf === undefined ? `nobody declares whose a ${thing} is` : "owns: without :id in the path";
    logger("guard").error({ endpoint: route, problem }, "an exposed endpoint is closed because of its tags");
    throw commonErrors.endpoint_closed({ internal: problem });
  }
  const owner = await ownerOf(principal, id);
  if (owner === undefined || owner === actorOf(principal)) return;
  logger("guard").warn({ endpoint: route, thing, actor: actorOf(principal) }, "permission denied");
  throw commonErrors.permission_denied({
    internal: `${actorOf(principal)} does not own the ${thing} and lacks ${unless}`,
  });
}

/** For lists: the actor whose things alone the caller may see; undefined for who holds `unless`. */
export const ownOnly = (principal: Principal, unless: Permission): string | undefined =>
  can(principal, unless) ? undefined : actorOf(principal);

function pathId(): string | undefined {
  const current = currentRequest();
  return current?.type === "api-call" ? (current.pathParams as { id?: string } | undefined)?.id : undefined;
}
