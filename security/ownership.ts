// Whose is the thing that a path names? An endpoint tagged `owns:job` is for who owns it and for holders of
// `job.manage`; the room that keeps the thing says whose it is, once, and the guard asks. So no handler compares ids by
// hand, where one that forgets lets everybody in (OWASP API Security Top 10 2023, API1: broken object level authorization).
import { currentRequest } from "encore.dev";
import { logger } from "../telemetry/logger";
import { commonErrors } from "./common-errors";
import type { Ownership } from "./endpoint-policy";
import { can, type Permission } from "./permissions";
import { actorOf, type Principal } from "./principal";

export interface Owned {
  /** The actor ("user:ID") that owns the thing of the caller's organisation with this id, which may be any text; undefined when there is no such thing. */
  ownerOf: (principal: Principal, id: string) => Promise<string | undefined>;
  /** What the endpoints say of a thing that does not exist. */
  missing: () => Error;
}

const rooms = new Map<string, Owned>();

/** Says whose a thing is. By the room that keeps it, beside its endpoints. */
export function declareOwner(thing: string, owned: Owned): void {
  rooms.set(thing, owned);
}

/**
 * What a colleague owns answers as what does not exist, and by the same steps: that there is such a thing is the owner's affair.
 * @throws what the room says of a missing thing; APIError endpoint_closed when nobody says whose the thing is
 */
export async function checkOwner({ thing, unless }: Ownership, principal: Principal, route: string): Promise<void> {
  if (can(principal, unless)) return;
  const room = rooms.get(thing);
  const id = pathId();
  if (room === undefined || id === undefined) {
    const problem = room === undefined ? `nobody declares whose a ${thing} is` : "owns: without :id in the path";
    logger("guard").error({ endpoint: route, problem }, "an exposed endpoint is closed because of its tags");
    throw commonErrors.endpoint_closed({ internal: problem });
  }
  const actor = actorOf(principal);
  const owner = await room.ownerOf(principal, id);
  if (owner === actor) return;
  logger("guard").warn({ endpoint: route, thing, actor, owner: owner ?? null }, "not the caller's own");
  throw room.missing();
}

/** For lists: the actor whose things alone the caller may see; undefined for who holds `unless`. */
export const ownOnly = (principal: Principal, unless: Permission): string | undefined =>
  can(principal, unless) ? undefined : actorOf(principal);

function pathId(): string | undefined {
  const current = currentRequest();
  return current?.type === "api-call" ? (current.pathParams as { id?: string } | undefined)?.id : undefined;
}
