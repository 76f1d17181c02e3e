// The chain: each entry's hash is HMAC-SHA-256 over the hash before it and the entry in one fixed form. A changed entry
// breaks its own link, a missing or added one the next; the end is held by audit.head. Whoever has neither the key nor
// the entries after can therefore change nothing unseen. Source of the idea: Schneier & Kelsey, "Secure Audit Logs to
// Support Computer Forensics" (1999). What is personal enters by its digest, so that erasing it breaks nothing.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { FieldValue } from "./action";

/** What the hash covers. */
export interface LinkedEntry {
  tenantId: string;
  seq: number;
  id: string;
  /** Microseconds since 1970, decimal digits. */
  atMicros: string;
  action: string;
  actor: string;
  targetType: string | null;
  targetId: string | null;
  correlationId: string;
  fields: Readonly<Record<string, FieldValue>>;
  personalDigest: Buffer;
}

/** As stored. */
export interface ChainedEntry extends LinkedEntry {
  hash: Buffer;
  /** Null once erased. */
  personal: Readonly<Record<string, FieldValue>> | null;
}

/** Before the first entry. */
export const NO_HASH = Buffer.alloc(32);

export function linkOf(key: Buffer, before: Buffer, entry: LinkedEntry): Buffer {
  return createHmac("sha256", key).update(before).update(fixedForm(entry)).digest();
}

/** Of the entry's place as well: equal values of two entries have different digests, so that none can be guessed by comparing. */
export function personalDigest(key: Buffer, id: string, personal: Readonly<Record<string, FieldValue>>): Buffer {
  return createHmac("sha256", key).update(`personal ${id} `).update(sorted(personal)).digest();
}

function fixedForm(e: LinkedEntry): string {
  return JSON.stringify([
    1,
    e.tenantId,
    e.seq,
    e.id,
    e.atMicros,
    e.action,
    e.actor,
    e.targetType,
    e.targetId,
    e.correlationId,
    sorted(e.fields),
    e.personalDigest.toString("hex"),
  ]);
}

const sorted = (fields: Readonly<Record<string, FieldValue>>): string =>
  JSON.stringify(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));

export interface ChainBreak {
  seq: number;
  /**
   * `missing`: the number is not there. `changed`: the entry, or one before it, is not as it was written. `added`: it stands
   * before the start of what is kept, or behind the end of the log. `unsealed`: the log does not begin, or end, where the app has
   * let it (seal.ts): entries in front of this one, or behind it, were removed, or the seal was.
   */
  what: "missing" | "changed" | "added" | "unsealed";
}

/** The first break in entries that should begin at `seq` after the hash `before`, each made with one of `keys`; undefined when they hold. */
export function findBreak(
  keys: readonly Buffer[],
  from: { seq: number; before: Buffer },
  entries: readonly ChainedEntry[],
): ChainBreak | undefined {
  let { seq, before } = from;
  for (const entry of entries) {
    if (entry.seq !== seq) return { seq, what: "missing" };
    if (!isIntact(keys, before, entry)) return { seq, what: "changed" };
    before = entry.hash;
    seq++;
  }
  return undefined;
}

/** Whether the entry is as it was written behind the hash `before`. */
export function isIntact(keys: readonly Buffer[], before: Buffer, entry: ChainedEntry): boolean {
  const { id, personal } = entry;
  // What is no object has the same form as one without fields, or none.
  if (!isObject(entry.fields) || (personal !== null && !isObject(personal))) return false;
  const key = keys.find((candidate) => isEqual(linkOf(candidate, before, entry), entry.hash));
  return key !== undefined && (personal === null || isEqual(personalDigest(key, id, personal), entry.personalDigest));
}

const isObject = (fields: unknown): boolean => typeof fields === "object" && fields !== null && !Array.isArray(fields);

const isEqual = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
