// Statements on a table of dead letters: one set for events and jobs, whose tables have the same columns but for the
// names of who gave up and what was given up.
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../db/cursor";
import { newId } from "../../db/ids";
import type { Tx } from "../../db/tenant";
import type { TenantId } from "../../security/principal";
import { filterConditions, type DeadLetterFilter } from "./dead-letter-filter";

/** A dead letter, whatever it is of. */
export interface DeadLetter {
  id: string;
  tenantId: TenantId | null;
  /** Who gave up: the consumer, the job's name. */
  source: string;
  /** Of the event or job. */
  messageId: string;
  payload: unknown;
  headers: Record<string, string>;
  /** Why, in one lower_snake word; safe to show. */
  reason: string;
  /** Internal text: for operators and logs, never for the tenant. */
  error: string;
  traceId: string | null;
  attempts: number;
}

/** What a list shows: everything but the payload, the headers and the internal text. */
export type ListedDeadLetter<Extra> = Omit<DeadLetter, "payload" | "headers" | "error" | "tenantId"> &
  Extra &
  CursorRow & {
    deadAt: Date;
    /** For the platform's staff only: what exactly went wrong. */
    internalError?: string;
  };

/** Open ones of one organisation that one gave up for one reason. */
export interface LetterGroup {
  tenantId: TenantId;
  source: string;
  reason: string;
  count: number;
  newestAt: Date;
}

/** Open letters that groups are made of, the newest: counting more would cost more than it tells. */
const GROUPED_MAX = 10_000;

export interface DeadLetterTable<Extra> {
  /** Inserts the row; false when the message has one already. */
  insert(tx: Tx, row: DeadLetter & Extra): Promise<boolean>;
  /** The open dead letters that match of a tenant, or with null of the platform, newest first, from the cursor on. */
  list(
    tx: Tx,
    tenantId: TenantId | null,
    filter: DeadLetterFilter,
    limit: number,
    cursor: Cursor | undefined,
  ): Promise<Page<ListedDeadLetter<Extra>>>;
  /** As list, of an organisation, for the platform's staff: with what exactly went wrong. */
  listForStaff: DeadLetterTable<Extra>["list"];
  /** Whose open ones there are, in a system transaction: groups of the newest ten thousand, the newest first. */
  groups(tx: Tx, limit: number): Promise<LetterGroup[]>;
  /**
   * Locks the open ones that match, the oldest first, at most `limit`, and resolves with their ids. Who asks at the same
   * time waits, and then gets none of them. A null tenant means the platform's own.
   */
  lockOpen(tx: Tx, tenantId: TenantId | null, filter: DeadLetterFilter, limit: number): Promise<string[]>;
  /**
   * Appends locked ones to the outbox again, in the order given, and closes them. Their content never leaves the
   * database, so that any number of large ones costs no memory here.
   */
  redrive(tx: Tx, ids: readonly string[]): Promise<void>;
  /** Closes locked ones for good. */
  discard(tx: Tx, ids: readonly string[]): Promise<void>;
  /** Deletes those older than the given days, open or not, at most `limit`; resolves with how many went. */
  purge(tx: Tx, olderThanDays: number, limit: number): Promise<number>;
  /** Statement: open ones, counted up to a hundred thousand. */
  readonly depth: string;
}

/** SQL of what a redriven letter `l` becomes in the outbox under the new id `n.id`. */
export interface RedrivenRow {
  destination: string;
  aggregateType: string;
  aggregateId: string;
  type: string;
  version: string;
  headers: string;
  occurredAt: string;
}

export interface DeadLetterColumns<Extra> {
  table: string;
  source: string;
  messageId: string;
  redriven: RedrivenRow;
  /** Columns that only this table has, by property. */
  extra: { readonly [K in keyof Extra]: string };
}

const OPEN = "redriven_at is null and discarded_at is null";
const JSON_PROPERTIES = new Set(["payload", "headers"]);

/** Property → column: what a list shows, and everything. */
function columnsOf({ source, messageId, extra }: DeadLetterColumns<object>): {
  shown: Record<string, string>;
  all: Record<string, string>;
} {
  const shown = {
    id: "id",
    source,
    messageId,
    reason: "reason",
    traceId: "trace_id",
    attempts: "attempts",
    ...(extra as Record<string, string>),
  };
  return { shown, all: { ...shown, tenantId: "tenant_id", payload: "payload", headers: "headers", error: "error" } };
}

const selected = (columns: Record<string, string>): string =>
  Object.entries(columns)
    .map(([property, column]) => `${column} as "${property}"`)
    .join(", ");

function outboxInsertOf({ table, redriven }: DeadLetterColumns<object>): string {
  const { destination, aggregateType, aggregateId, type, version, headers, occurredAt } = redriven;
  return `insert into events.outbox (id, tenant_id, destination, aggregate_type, aggregate_id, type, version, payload, headers, occurred_at)
     select n.id, l.tenant_id, ${destination}, ${aggregateType}, ${aggregateId}, ${type}, ${version}, l.payload, ${headers}, ${occurredAt}
       from unnest($1::uuid[], $2::uuid[]) with ordinality as n(letter_id, id, place) join ${table} l on l.id = n.letter_id
      order by n.place`;
}

/** The statement of both lists. */
function listWith<Extra>(names: DeadLetterColumns<Extra>, isForStaff: boolean): DeadLetterTable<Extra>["list"] {
  const { table } = names;
  const { shown } = columnsOf(names);
  return async (tx, tenantId, filter, limit, cursor) => {
    const params: unknown[] = [...cursorParams(cursor), limit + 1];
    const whose = tenantId === null ? "tenant_id is null" : `tenant_id = $${params.push(tenantId)}`;
    const columns = isForStaff || tenantId === null ? { ...shown, internalError: "error" } : shown;
    const rows = await tx.query<ListedDeadLetter<Extra>>(
      `select ${selected(columns)}, dead_at as "deadAt", ${cursorMicros("dead_at")} as "cursorMicros" from ${table}
        where ${whose} and ${OPEN} and ${beforeCursor("dead_at", "id", 1)}
          and ${filterConditions(filter, shown, params)}
        order by dead_at desc, id desc limit $3`,
      params,
    );
    return pageOf(rows, limit);
  };
}

/** The names are constants of the code, never input. */
export function deadLetterTable<Extra extends object>(names: DeadLetterColumns<Extra>): DeadLetterTable<Extra> {
  const { table } = names;
  const { shown, all } = columnsOf(names);
  const properties = Object.keys(all);
  const places = properties.map((property, at) => `$${at + 1}${JSON_PROPERTIES.has(property) ? "::jsonb" : ""}`);

  const owners = { tenantId: "tenant_id", source: names.source };

  return {
    async insert(tx, row) {
      const values = row as unknown as Record<string, unknown>;
      const inserted = await tx.execute(
        `insert into ${table} (${Object.values(all).join(", ")}) values (${places.join(", ")}) on conflict do nothing`,
        properties.map((property) =>
          JSON_PROPERTIES.has(property) ? JSON.stringify(values[property] ?? null) : values[property],
        ),
      );
      return inserted === 1;
    },
    list: listWith(names, false),
    listForStaff: listWith(names, true),
    groups: (tx, limit) =>
      tx.query<LetterGroup>(
        `select "tenantId", source, reason, count(*)::int as count, max(dead_at) as "newestAt"
           from (select ${selected(owners)}, reason, dead_at from ${table}
                  where ${OPEN} and tenant_id is not null order by dead_at desc limit $2) newest
          group by 1, 2, 3 order by max(dead_at) desc, 1, 2, 3 limit $1`,
        [limit, GROUPED_MAX],
      ),
    async lockOpen(tx, tenantId, filter, limit) {
      const params: unknown[] = tenantId === null ? [limit] : [limit, tenantId];
      const rows = await tx.query<{ id: string }>(
        `select id from ${table}
          where tenant_id ${tenantId === null ? "is null" : "= $2"} and ${OPEN}
            and ${filterConditions(filter, shown, params)}
          order by dead_at, id limit $1 for update`,
        params,
      );
      return rows.map(({ id }) => id);
    },
    async redrive(tx, ids) {
      await tx.execute(outboxInsertOf(names), [ids, ids.map(newId)]);
      await tx.execute(`update ${table} set redriven_at = now() where id = any($1::uuid[])`, [ids]);
    },
    async discard(tx, ids) {
      await tx.execute(`update ${table} set discarded_at = now() where id = any($1::uuid[])`, [ids]);
    },
    purge: (tx, olderThanDays, limit) =>
      tx.execute(
        `delete from ${table} where id in (
           select id from ${table} where dead_at < now() - $1 * interval '1 day'
            order by dead_at limit $2 for update skip locked)`,
        [olderThanDays, limit],
      ),
    depth: `select count(*) as depth from (select 1 from ${table} where ${OPEN} limit 100000) open`,
  };
}
