// Dead letters of organisations as the platform's staff handles them: whose there are, with what exactly went wrong, sent again and
// discarded. Each look stands in the organisation's log with who and what for, and so does what is done (audit/operator.ts).
import { recordLook, withOperator, type OperatorReason } from "../audit/operator";
import type { Cursor, Page } from "../db/cursor";
import { withSystem, type Tx } from "../db/tenant";
import type { Caller, TenantId } from "../security/principal";
import {
  parseChangingFilter,
  parseLetterFilter,
  type HandledLetters,
  type LetterCriteria,
  type WantedLetters,
} from "./dead-letter-desk";
import { discardEvents, redriveEvents, shownEvent } from "./dead-letters";
import { deadLetters } from "./store/dead-letter";
import type { DeadLetterTable, LetterGroup, ListedDeadLetter } from "./store/dead-letter-table";

/** Whose letters, and who handles them what for. */
export interface StaffLook {
  tenantId: TenantId;
  operator: Caller;
  reason: OperatorReason;
}

/** As lists show it to staff, of an event or a job. */
export interface StaffLetter {
  id: string;
  /** The consumer, or the job. */
  source: string;
  messageId: string;
  /** Of the event; empty for a job. */
  type: string;
  reason: string;
  error: string;
  internalError: string;
  traceId: string | null;
  attempts: number;
  deadAt: string;
}

export interface StaffLetters {
  /** Whose there are; each organisation is told. */
  groups(reason: OperatorReason): Promise<LetterGroup[]>;
  /** Open ones that match, the newest first. @throws APIError invalid_request that names the field. */
  list(
    look: StaffLook,
    criteria: LetterCriteria,
    limit: number,
    cursor: Cursor | undefined,
  ): Promise<Page<StaffLetter>>;
  /** 500 at most, the oldest first. @throws APIError invalid_request that names the field, or when nothing is named. */
  redrive(look: StaffLook, criteria: LetterCriteria): Promise<HandledLetters>;
  /** As redrive. */
  discard(look: StaffLook, criteria: LetterCriteria): Promise<HandledLetters>;
}

export const GROUPS_MAX = 200;

type Act = (tx: Tx, wanted: WantedLetters) => Promise<HandledLetters>;

/** @param what service.noun of what is looked at */
export function staffLetters<Extra>(
  what: string,
  table: DeadLetterTable<Extra>,
  shown: (row: ListedDeadLetter<Extra>) => Omit<StaffLetter, "internalError">,
  acts: { redrive: Act; discard: Act },
): StaffLetters {
  const doing =
    (act: Act) =>
    ({ tenantId, operator, reason }: StaffLook, criteria: LetterCriteria): Promise<HandledLetters> => {
      const filter = parseChangingFilter(criteria);
      return withOperator(tenantId, operator, { what, reason }, (tx) => act(tx, { tenantId, filter, purpose: reason }));
    };
  return {
    groups: async (reason) => {
      const groups = await withSystem("operator-look-up", (tx) => table.groups(tx, GROUPS_MAX));
      // Each organisation in a commit of its own: their logs are locked until it, and nobody sees anything before the last.
      for (const id of new Set(groups.map(({ tenantId }) => tenantId)))
        await withSystem("operator-look-up", (tx) => recordLook(tx, id, { what, reason }));
      return groups;
    },
    list: async ({ tenantId, operator, reason }, criteria, limit, cursor) => {
      const filter = parseLetterFilter(criteria);
      const { rows, next } = await withOperator(tenantId, operator, { what, reason }, (tx) =>
        table.listForStaff(tx, tenantId, filter, limit, cursor),
      );
      return { rows: rows.map((row) => ({ ...shown(row), internalError: row.internalError ?? "" })), next };
    },
    redrive: doing(acts.redrive),
    discard: doing(acts.discard),
  };
}

export const staffEvents = staffLetters(
  "events.dead_letters",
  deadLetters,
  (row) => {
    const {
      id,
      consumer: source,
      eventId: messageId,
      type,
      reason,
      error,
      traceId,
      attempts,
      deadAt,
    } = shownEvent(row);
    return { id, source, messageId, type, reason, error, traceId, attempts, deadAt };
  },
  { redrive: redriveEvents, discard: discardEvents },
);
