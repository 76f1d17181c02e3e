// How an entry is shown: what tells of a person only to those who may see it.
import { can } from "../security/permissions";
import type { FieldValue } from "./action";
import type { EntryRow } from "./store";

/** In place of a personal value that the reader may not see. */
export const HIDDEN = "[personal]";

export interface ShownEntry {
  id: string;
  seq: number;
  at: string;
  action: string;
  actor: string;
  target?: { type: string; id: string };
  correlationId: string;
  fields: Record<string, FieldValue>;
  personal?: Record<string, FieldValue>;
}

export function shownEntry(row: EntryRow, reader: Parameters<typeof can>[0]): ShownEntry {
  const { id, seq, at, action, actor, targetType, targetId, correlationId, fields, personal } = row;
  const isHidden = !can(reader, "audit.personal");
  return {
    id,
    seq,
    at: at.toISOString(),
    action,
    actor,
    ...(targetType === null || targetId === null ? {} : { target: { type: targetType, id: targetId } }),
    correlationId,
    fields,
    ...(personal === null ? {} : { personal: isHidden ? hidden(personal) : personal }),
  };
}

const hidden = (personal: Readonly<Record<string, FieldValue>>): Record<string, FieldValue> =>
  Object.fromEntries(Object.keys(personal).map((name) => [name, HIDDEN]));
