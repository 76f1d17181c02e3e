// Seals over where a log begins and where it ends: HMAC-SHA-256 under a key derived from the master key, behind the four bytes that
// name that key. Hashes alone let whoever owns the tables remove the oldest entries, or the newest, and set the head to what is
// left, because each entry that stays is as it was written; for a head that nobody sealed they would need the key. The end is
// sealed with each entry, the start with each step of retention.
// Models: signed tree heads (RFC 6962 §3.5, as in Trillian), immudb's signed state, and systemd's journal, whose check says up to
// which entry a seal covers it (journalctl --verify).
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Keyset } from "../security/envelope";

const ID_BYTES = 4;
const MAC_BYTES = 32;

/** `start`: what is kept begins with entry `seq`, behind the hash. `end`: entry `seq` has the hash. */
export interface SealedPlace {
  of: "start" | "end";
  tenantId: string;
  seq: number;
  hash: Buffer;
}

/** By the first key. */
export const sealOf = ([{ id, key }]: Keyset, place: SealedPlace): Buffer => Buffer.concat([id, macOf(key, place)]);

/** Whether one of the keys sealed this place. */
export function isSealOf(keys: Keyset, seal: Buffer | null, place: SealedPlace): boolean {
  if (seal?.length !== ID_BYTES + MAC_BYTES) return false;
  const used = keys.find(({ id }) => id.equals(seal.subarray(0, ID_BYTES)));
  return used !== undefined && timingSafeEqual(seal.subarray(ID_BYTES), macOf(used.key, place));
}

const macOf = (key: Buffer, { of, tenantId, seq, hash }: SealedPlace): Buffer =>
  createHmac("sha256", key).update(`audit ${of} 1 ${tenantId} ${seq} `).update(hash).digest();

/** What a head says of its end's seal. */
export interface EndSeal {
  sealedSeq: number | null;
  endSeal: Buffer | null;
}

/**
 * Over the end that an entry makes; null where the end before it stands under no seal, so that what somebody set back, or an
 * earlier version of the app wrote, is not sealed by the entry that comes next.
 */
export function nextEndSeal(
  keys: Keyset,
  { tenantId, seq, hash }: Omit<SealedPlace, "of">,
  { before, sealedSeq, endSeal }: EndSeal & { before: Buffer },
): Buffer | null {
  const last: SealedPlace = { of: "end", tenantId, seq: seq - 1, hash: before };
  const goesOn = seq === 1 || (sealedSeq === seq - 1 && isSealOf(keys, endSeal, last));
  return goesOn ? sealOf(keys, { of: "end", tenantId, seq, hash }) : null;
}
