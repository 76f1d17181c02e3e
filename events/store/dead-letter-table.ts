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
import type { Tx } from "../../db/tenant";
import type { TenantId } from "../../security/principal";

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
  CursorRow & { deadAt: Date };

export interface DeadLetterTable<Extra> {
  /** Inserts the row; false when the message has one already. */
  insert(tx: Tx, row: DeadLetter & Extra): Promise<boolean>;
  /** The tenant's open dead letters, newest first, from the cursor on. */
  list(tx: Tx, tenantId: TenantId, limit: number, cursor: Cursor | undefined): Promise<Page<ListedDeadLetter<Extra>>>;
  /** Marks an open one as redriven and resolves with it; undefined for any but the first who asks. */
  takeForRedrive(tx: Tx, id: string): Promise<(DeadLetter & Extra) | undefined>;
  /** Deletes those older than the given days, redriven or not, at most `limit`; resolves with how many went. */
  purge(tx: Tx, olderThanDays: number, limit: number): Promise<number>;
  /** Statement: open ones, counted up to a hundred thousand. */
  readonly depth: string;
}

export interface DeadLetterColumns<Extra> {
  table: string;
  source: string;
  messageId: string;
  /** Columns that only this table has, by property. */
  extra: { readonly [K in keyof Extra]: string };
}

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

/** The names are constants of the code, never input. */
export function deadLetterTable<Extra extends object>(names: DeadLetterColumns<Extra>): DeadLetterTable<Extra> {
  const { table } = names;
  const { shown, all } = columnsOf(names);
  const properties = Object.keys(all);
  const places = properties.map((property, at) => `$${at + 1}${JSON_PROPERTIES.has(property) ? "::jsonb" : ""}`);

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
    async list(tx, tenantId, limit, cursor) {
      const rows = await tx.query<ListedDeadLetter<Extra>>(
        `select ${selected(shown)}, dead_at as "deadAt", ${cursorMicros("dead_at")} as "cursorMicros" from ${table}
          where tenant_id = $1 and redriven_at is null and ${beforeCursor("dead_at", "id", 2)}
          order by dead_at desc, id desc limit $4`,
        [tenantId, ...cursorParams(cursor), limit + 1],
      );
      return pageOf(rows, limit);
    },
    async takeForRedrive(tx, id) {
      const rows = await tx.query<DeadLetter & Extra>(
        `update ${table} set redriven_at = now() where id = $1 and redriven_at is null returning ${selected(all)}`,
        [id],
      );
      return rows[0];
    },
    purge: (tx, olderThanDays, limit) =>
      tx.execute(
        `delete from ${table} where id in (
           select id from ${table} where dead_at < now() - $1 * interval '1 day'
            order by dead_at limit $2 for update skip locked)`,
        [olderThanDays, limit],
      ),
    depth: `select count(*) as depth from (select 1 from ${table} where redriven_at is null limit 100000) open`,
  };
}
