// The host's own database, for an app that declares topics and nothing to keep them in: no primitive depends on the
// presence of another. It is never one of the app's: the app's name for a database cannot reach it.
import type { AppModel } from "../model";

export const hostDatabase = "groundwork";

/** Whether the host's own parts need a database that neither the app nor its surroundings give. */
export function needsHostDatabase(
  model: Pick<AppModel, "topics" | "databases">,
  given: { redisUrl?: string | null; databases?: object },
): boolean {
  const hasStore =
    Boolean(given.redisUrl) || model.databases.length > 0 || Object.keys(given.databases ?? {}).length > 0;
  return model.topics.length > 0 && !hasStore;
}
