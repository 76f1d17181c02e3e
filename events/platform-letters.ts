// Dead letters of no organisation: of events that the platform itself emitted, and of jobs that it enqueued. Its staff sees
// them with what exactly went wrong, sends them again and discards them, by endpoint (api/platform-letters.ts) or by command
// (scripts/admin.ts). Each act stands in the installation's log with what for. queues/ has the same for its jobs.
import type { Cursor, Page } from "../db/cursor";
import { withSystem, type Tx } from "../db/tenant";
import { onBehalfOf } from "../security/provenance";
import {
  parseChangingFilter,
  parseLetterFilter,
  type HandledLetters,
  type LetterCriteria,
  type WantedLetters,
} from "./dead-letter-desk";
import { discardEvents, redriveEvents } from "./dead-letters";
import { deadLetters, letterNow, type EventFacts } from "./store/dead-letter";
import type { DeadLetterTable, ListedDeadLetter } from "./store/dead-letter-table";

export interface PlatformLetters<Extra> {
  /** Open ones that match, the newest first. @throws APIError invalid_request that names the field. */
  list(criteria: LetterCriteria, limit: number, cursor: Cursor | undefined): Promise<Page<ListedDeadLetter<Extra>>>;
  /** 500 at most, the oldest first. @throws APIError invalid_request that names the field, or when nothing is named. */
  redrive(criteria: LetterCriteria, purpose: string): Promise<HandledLetters>;
  /** As redrive. */
  discard(criteria: LetterCriteria, purpose: string): Promise<HandledLetters>;
}

type Act = (tx: Tx, wanted: WantedLetters) => Promise<HandledLetters>;

export function platformLetters<Extra>(
  table: DeadLetterTable<Extra>,
  acts: { redrive: Act; discard: Act },
): PlatformLetters<Extra> {
  const doing =
    (act: Act) =>
    (criteria: LetterCriteria, purpose: string): Promise<HandledLetters> => {
      const filter = parseChangingFilter(criteria);
      return withSystem("platform-dead-letters", (tx) => act(tx, { tenantId: null, filter, purpose }));
    };
  return {
    list: (criteria, limit, cursor) => {
      const filter = parseLetterFilter(criteria);
      return withSystem("platform-dead-letters", (tx) => table.list(tx, null, filter, limit, cursor));
    },
    redrive: doing(acts.redrive),
    discard: doing(acts.discard),
  };
}

export const platformEvents = platformLetters<EventFacts>(deadLetters, {
  redrive: redriveEvents,
  discard: discardEvents,
});

/**
 * All that match, by command: as many calls as it takes. What is given up once more meanwhile is not among them. Resolves with how
 * many they were.
 */
export function handleAllByCommand(
  act: PlatformLetters<object>["redrive"],
  criteria: LetterCriteria,
  purpose = "by command",
): Promise<number> {
  return onBehalfOf("system:command", async () => {
    parseChangingFilter(criteria);
    const wanted = { ...criteria, until: criteria.until ?? (await letterNow())?.toISOString() };
    let sum = 0;
    for (;;) {
      const { count, isMore } = await act(wanted, purpose);
      sum += count;
      if (!isMore) return sum;
    }
  });
}
