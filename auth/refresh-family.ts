// The family secret of a session's refresh tokens, made of the session's id with the master key: so a token of ours is told
// from an invented one without the database. What somebody else behind the same address invents then shuts nobody out.
import { createHmac, timingSafeEqual } from "node:crypto";
import { secret } from "encore.dev/config";
import { masterKeyset, type SealingKey } from "../security/envelope";
import { FAMILY_BYTES, type RefreshToken } from "./refresh-token";

const masterKey = secret("MasterKey");
const keyset = () => masterKeyset(masterKey(), "refresh token families");

const familyBy = ({ key }: SealingKey, sessionId: string): Buffer =>
  createHmac("sha256", key).update(sessionId).digest().subarray(0, FAMILY_BYTES);

export const familyOf = (sessionId: string): Buffer => familyBy(keyset()[0], sessionId);

/** False also for a token of a master key that is no longer there: it may still be good. */
export const isOurs = ({ sessionId, family }: RefreshToken): boolean =>
  keyset().some((key) => timingSafeEqual(familyBy(key, sessionId), family));
