// What an organisation's export holds: each room that keeps something of tenants says of each of its tables which columns
// are handed out, or why none of it is. Closed by two tests: one walks every table of tenants and every column
// (auth/__tests__/organisation-export.test.ts), and at run time a room that did not speak makes the export refuse to begin,
// so that a process which does not host it never hands out half and calls it all.
import type { SystemReason } from "../security/system-reasons";

/** The rooms with tables of tenants. */
export const exportingRooms = [
  "ai",
  "assets",
  "audit",
  "auth",
  "events",
  "flags",
  "idempotency",
  "notifications",
  "queues",
  "records",
  "sagas",
  "secrets",
  "vectors",
  "webhooks",
] as const;
export type ExportingRoom = (typeof exportingRooms)[number];

export interface ExportedTable {
  /** `schema.table`. */
  name: string;
  /** Columns with their types in whose order it is read. An index begins with the tenant and these, and together they are unique. */
  order: Readonly<Record<string, string>>;
  columns: readonly string[];
  /** Columns that tell of people: named in the export's first line. */
  personal?: readonly string[];
  /** Columns that are not handed out, and why. */
  omitted?: Readonly<Record<string, string>>;
  /** Columns that may be long: a page ends before they come to more than a page may have. */
  large?: readonly string[];
  /** Which of the tenant's rows are handed out, where not all are: a condition on them, as `t`, and on the tenant's id, which is $1. */
  within?: string;
  /** Whether there is a row of it in an organisation with which nobody has done anything yet. */
  isFromTheStart?: true;
  /** `tenant_id`, if nothing is said. */
  tenantColumn?: string;
  /** Values that stand in a table of no tenant: read in the system's scope, bound to the tenant's rows by the join. */
  joined?: { reason: SystemReason; sql: string; columns: Readonly<Record<string, string>> };
}

export interface RoomExport {
  exported: readonly ExportedTable[];
  /** Tables of tenants that are not exported, and why. */
  left: Readonly<Record<string, string>>;
}

const rooms = new Map<ExportingRoom, RoomExport>();

/** Said by each room where it is declared (encore.service.ts loads it). */
export function declareExport(room: ExportingRoom, declared: RoomExport): void {
  rooms.set(room, declared);
}

/** All that the rooms of this process declared, in the rooms' order, and the rooms that are missing. */
export function declaredExports(): RoomExport & { missing: ExportingRoom[] } {
  const declared = exportingRooms.map((room) => rooms.get(room));
  return {
    exported: declared.flatMap((room) => room?.exported ?? []),
    left: Object.assign({}, ...declared.map((room) => room?.left ?? {})) as Record<string, string>,
    missing: exportingRooms.filter((room) => !rooms.has(room)),
  };
}
