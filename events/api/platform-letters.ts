// Dead letters of the platform's own events, for its staff. Those of an organisation are its own (../api.ts).
import { api, type Header } from "encore.dev/api";
import { operatorReasonFrom } from "../../audit/operator";
import { parseCursor } from "../../db/cursor";
import type {
  DeadLetter,
  DeadLettersRequest,
  DiscardedDeadLettersResponse,
  ListDeadLettersRequest,
  RedrivenDeadLettersResponse,
} from "../api";
import { shownEvent } from "../dead-letters";
import { errors } from "../errors";
import { platformEvents } from "../platform-letters";

interface PlatformLetter extends DeadLetter {
  /** What exactly went wrong. */
  internalError: string;
}

interface PlatformLettersResponse {
  deadLetters: PlatformLetter[];
  /** Absent on the last page. */
  next?: string;
}

/** The open dead letters that match of events without an organisation, newest first. */
export const operatorListDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/events/dead-letters",
    tags: ["can:operator.dead_letter.read"],
  },
  async ({ consumer, limit, cursor, ...rest }: ListDeadLettersRequest): Promise<PlatformLettersResponse> => {
    const { rows, next } = await platformEvents.list(
      { ...rest, source: consumer },
      Math.floor(limit ?? 50),
      parseCursor(cursor),
    );
    const deadLetters = rows.map((row) => ({ ...shownEvent(row), internalError: row.internalError ?? "" }));
    return { deadLetters, ...(next === undefined ? {} : { next }) };
  },
);

interface ChangePlatformLettersRequest extends DeadLettersRequest {
  /** What for: it stands in the installation's log. */
  purpose?: Header<"X-Operator-Reason">;
}

/** Sends open ones once more to the consumers that gave them up, the oldest first. */
export const operatorRedriveDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/events/dead-letters/redrive",
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangePlatformLettersRequest): Promise<RedrivenDeadLettersResponse> => {
    const { count, isMore } = await change(req, platformEvents.redrive);
    return { redriven: count, more: isMore };
  },
);

/** Closes open ones for good: their consumers do not get these events again. */
export const operatorDiscardDeadLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/events/dead-letters/discard",
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangePlatformLettersRequest): Promise<DiscardedDeadLettersResponse> => {
    const { count, isMore } = await change(req, platformEvents.discard);
    return { discarded: count, more: isMore };
  },
);

async function change({ filter, purpose }: ChangePlatformLettersRequest, act: typeof platformEvents.redrive) {
  const handled = await act({ ...filter, source: filter.consumer }, operatorReasonFrom(purpose));
  if (handled.count === 0 && filter.ids !== undefined) throw errors.dead_letter_not_found();
  return handled;
}
