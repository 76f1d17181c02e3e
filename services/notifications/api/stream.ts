// The inbox as it grows.
import { api } from "encore.dev/api";
import { beginReading } from "../../../db/acting";
import { beginEventStream, placeIn } from "../../../security/event-stream";
import { currentPrincipal } from "../../../security/principal";
import { headSeq } from "../store/inbox";
import { admitFollower, followInbox } from "../stream";

/** Who follows is asked again when there is something to tell, at most so often, or when it was quiet for a quarter of a minute. */
const ASK_AGAIN_MS = 5_000;

/**
 * Follows your inbox as server-sent events: `notification` for each new entry and `badge` with how many are not read, at once and
 * after each change. Last-Event-ID goes on behind an entry; without it the stream begins now.
 */
export const stream = api.raw(
  { expose: true, auth: true, method: "GET", path: "/notifications/stream", tags: ["can:notification.read"] },
  async (req, resp) => {
    const principal = currentPrincipal();
    const after = placeIn(req.headers["last-event-id"]);
    // First of all: who is refused here asks nothing of the database.
    const leave = admitFollower(principal);
    try {
      const reading = await beginReading(principal, "notification.read", ASK_AGAIN_MS);
      const begin = after ?? (await headSeq(principal, principal.subjectId));
      beginEventStream(resp);
      await followInbox(principal, { after: begin, reading }, resp).finally(() => resp.end());
    } finally {
      leave();
    }
  },
);
