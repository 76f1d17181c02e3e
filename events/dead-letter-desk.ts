// What people do with dead letters: send them again or discard them, one, many, or all that a filter names. The same
// for events and jobs (queues/ uses it with its own table). One call handles a bounded number, the oldest first, in one
// transaction with its audit entry; whoever has more asks again. Sidekiq and BullMQ redrive all that they hold, one by
// one from the client: what failed half-way there, or was asked for twice at once, nobody can tell.
import { z } from "zod";
import type { AuditAction } from "../audit/action";
import { recordForPlatform } from "../audit/platform";
import { record } from "../audit/record";
import { isUuid } from "../db/ids";
import type { Tx } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import type { TenantId } from "../security/principal";
import type { DeadLetterFilter } from "./store/dead-letter-filter";
import type { DeadLetterTable } from "./store/dead-letter-table";

/** Dead letters that one call handles, at most. */
export const LETTERS_PER_CALL = 500;

/** Fields of the audit entry of a call: how many, by which filter, and what for, of the platform's own. */
export const letterFields = {
  letters: "plain",
  source: "plain",
  type: "plain",
  reason: "plain",
  from: "plain",
  until: "plain",
  purpose: "plain",
} as const;

/** A filter as it comes from outside. */
export interface LetterCriteria {
  ids?: readonly string[] | undefined;
  source?: string | undefined;
  type?: string | undefined;
  reason?: string | undefined;
  from?: string | undefined;
  until?: string | undefined;
}

export interface WantedLetters {
  /** Whose; null means the platform's own. */
  tenantId: TenantId | null;
  filter: DeadLetterFilter;
  /** What for, in the words of who asks. */
  purpose?: string;
}

export interface HandledLetters {
  count: number;
  /** Whether more that match may be open. */
  isMore: boolean;
}

const momentText = z.iso.datetime({ offset: true });

/** @throws APIError invalid_request that names the field. */
export function parseMoment(text: string, field: string): Date;
export function parseMoment(text: string | undefined, field: string): Date | undefined;
export function parseMoment(text: string | undefined, field: string): Date | undefined {
  if (text === undefined) return undefined;
  const moment = new Date(momentText.safeParse(text).success ? text : NaN);
  if (!Number.isNaN(moment.getTime())) return moment;
  throw commonErrors.invalid_request({
    fields: { [field]: "must be a moment in ISO 8601 with its offset, for example 2026-01-31T08:00:00Z" },
  });
}

/**
 * Reads a filter. An id that is none is the id of no dead letter.
 * @throws APIError invalid_request that names the field.
 */
export function parseLetterFilter({ ids, source, type, reason, from, until }: LetterCriteria): DeadLetterFilter {
  return withoutAbsent({
    ids: ids?.filter(isUuid),
    source,
    type,
    reason,
    from: parseMoment(from, "from"),
    until: parseMoment(until, "until"),
  });
}

/** Leaves the properties out that have no value. */
function withoutAbsent<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const present = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(present) as { [K in keyof T]?: NonNullable<T[K]> };
}

/**
 * As parseLetterFilter, for what changes something: a filter that was forgotten must not mean everything.
 * @throws APIError invalid_request when it names nothing.
 */
export function parseChangingFilter(criteria: LetterCriteria): DeadLetterFilter {
  const filter = parseLetterFilter(criteria);
  if (Object.keys(filter).length > 0) return filter;
  throw commonErrors.invalid_request({
    fields: { filter: 'must name something; all that are open are those with "until" and the time now' },
  });
}

/**
 * Locks the open dead letters that match, acts on them and records it in the log of whose they are (the installation's
 * for the platform's own, in a system transaction). Asked for at once by two, each of them is handled by one.
 */
export async function handleLetters(
  tx: Tx,
  { tenantId, filter, purpose }: WantedLetters,
  table: Pick<DeadLetterTable<object>, "lockOpen">,
  action: AuditAction<typeof letterFields>,
  act: (ids: readonly string[]) => Promise<void>,
): Promise<HandledLetters> {
  const ids = await table.lockOpen(tx, tenantId, filter, LETTERS_PER_CALL);
  const [first] = ids;
  if (first === undefined) return { count: 0, isMore: false };
  await act(ids);
  const facts = {
    ...(ids.length === 1 ? { target: { type: "dead_letter", id: first } } : {}),
    fields: {
      letters: ids.length,
      source: filter.source ?? null,
      type: filter.type ?? null,
      reason: filter.reason ?? null,
      from: filter.from?.toISOString() ?? null,
      until: filter.until?.toISOString() ?? null,
      purpose: purpose ?? null,
    },
  };
  await (tenantId === null ? recordForPlatform(tx, action, facts) : record(tx, action, { ...facts, tenantId }));
  return { count: ids.length, isMore: ids.length === LETTERS_PER_CALL };
}
