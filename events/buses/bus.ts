// A bus carries notices: what others may act on at once, and can do without. What must not be lost is an event of the outbox
// (README). Two implementations stand behind this port: one in the process, and one over all replicas on Redis.
import type { z } from "zod";
import { newId } from "../../db/ids";
import type { TenantId } from "../../security/principal";

/** What a notice is about: who reads one stream reads one kind. */
export const busCategories = ["billing", "security", "system", "user"] as const;
export type BusCategory = (typeof busCategories)[number];

export interface NoticeDefinition<Data = unknown> {
  readonly category: BusCategory;
  /** "service.noun.verb". */
  readonly type: string;
  readonly data: z.ZodType<Data>;
}

const TYPE = /^[a-z][a-z0-9-]{0,62}(?:\.[a-z][a-z0-9-]{0,62}){2}$/;

/** Declares a notice. Throws TypeError at load when its type is not "service.noun.verb". */
export function defineNotice<Data>(definition: NoticeDefinition<Data>): NoticeDefinition<Data> {
  if (!TYPE.test(definition.type))
    throw new TypeError(`notice type "${definition.type}" is not of the form service.noun.verb`);
  return Object.freeze({ ...definition });
}

export interface Notice<Data = unknown> {
  readonly id: string;
  readonly type: string;
  readonly tenantId: TenantId | null;
  readonly data: Data;
}

/** Within ten seconds; one that rejects is tried again, three times in all. */
export type NoticeHandler<Data> = (notice: Notice<Data>) => Promise<unknown>;

export interface SubscribeOptions {
  /** Each notice to one subscriber of the group, whichever replica has it; without a group to every subscriber. */
  group?: string;
}

export interface BusSubscription {
  /** Nothing of it is left; what is being handled ends first. */
  close(): Promise<void>;
}

/**
 * What both promise: a subscriber that is there gets each notice that is published from then on, in order, one at a time; one that
 * fails or hangs holds up itself only; one that cannot keep up loses the oldest, and nothing grows. A notice that keeps failing
 * is dropped, with an error in the log.
 */
export interface Bus {
  /** Resolves with its id when it is on its way. @throws ZodError, RangeError for one that is too long, or when Redis does not answer */
  publish<Data>(definition: NoticeDefinition<Data>, data: Data, tenantId?: TenantId | null): Promise<string>;
  /** Resolves when it is there. */
  subscribe<Data>(
    definition: NoticeDefinition<Data>,
    handler: NoticeHandler<Data>,
    options?: SubscribeOptions,
  ): Promise<BusSubscription>;
  close(): Promise<void>;
}

export const ATTEMPTS_MAX = 3;
export const HANDLER_LIMIT_MS = 10_000;
/** Notices that wait: for a subscriber in the process, and in a stream of Redis. */
export const WAITING_MAX = 1_000;
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const BYTES_MAX = 16 << 10;

/** What is written: checked, and bounded, before anybody hears of it. */
export function noticeFrom<Data>(
  { type, data: schema }: NoticeDefinition<Data>,
  data: Data,
  tenantId: TenantId | null,
): { notice: Notice<Data>; text: string } {
  const notice = { id: newId(), type, tenantId, data: schema.parse(data) };
  const text = JSON.stringify(notice.data ?? null);
  if (Buffer.byteLength(text) > BYTES_MAX) throw new RangeError(`a notice ${type} has more than ${BYTES_MAX} bytes`);
  return { notice, text };
}

export function assertGroup(group: string | undefined): void {
  if (group !== undefined && !NAME.test(group)) throw new TypeError(`group "${group}" is not lower case with hyphens`);
}
