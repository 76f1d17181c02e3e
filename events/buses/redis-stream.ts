// One notice as an entry of a Redis stream, all fields plain text: `redis-cli XRANGE groundwork:bus:system - +` shows them.
import { isUuid } from "../../db/ids";
import { tenantIdFrom } from "../../security/principal";
import type { Notice, NoticeDefinition } from "./bus";

/** Id and fields, as Redis answers them; no fields for an entry that was trimmed while it was pending. */
export type StreamEntry = [id: string, fields: string[] | null];

export function fieldsOf({ id, type, tenantId }: Notice, text: string): string[] {
  return ["id", id, "type", type, "tenant", tenantId ?? "", "at", new Date().toISOString(), "data", text];
}

export const typeOf = ([, fields]: StreamEntry): string | undefined => fieldOf(fields, "type");

/** Undefined for what does not fit: whoever can write the stream can write anything. */
export function noticeOf<Data>(
  { type, data: schema }: NoticeDefinition<Data>,
  entry: StreamEntry,
): Notice<Data> | undefined {
  const [, fields] = entry;
  const [id, tenant, text] = [fieldOf(fields, "id"), fieldOf(fields, "tenant"), fieldOf(fields, "data")];
  if (id === undefined || text === undefined) return undefined;
  try {
    const data = schema.parse(JSON.parse(text));
    return { id, type, tenantId: tenant !== undefined && isUuid(tenant) ? tenantIdFrom(tenant) : null, data };
  } catch {
    return undefined;
  }
}

function fieldOf(fields: string[] | null, name: string): string | undefined {
  for (let at = 0; fields !== null && at + 1 < fields.length; at += 2) if (fields[at] === name) return fields[at + 1];
  return undefined;
}
