// Where somebody signed in lately: the ten last addresses, as limits count them. Strangers can use up the attempts that everybody
// has at an account together; whoever comes from such a place has their own, and goes first (attempts.ts). OWASP's device cookies
// do that by a cookie; an address needs none, so programs have it too.
// https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
import { createHmac } from "node:crypto";
import { secret } from "encore.dev/config";
import { UNKNOWN_ADDRESS } from "../security/client-ip";
import { masterKeyset, type SealingKey } from "../security/envelope";

const masterKey = secret("MasterKey");
const keyset = () => masterKeyset(masterKey(), "known places");
const DIGEST_BYTES = 16;

/** An account or an operator, with the digests of its places. */
interface Known {
  id: string;
  knownPlaces: readonly Buffer[];
}

/** Tells neither the address nor whether two have been at one place, to whoever reads the database. */
const digestBy = ({ key }: SealingKey, id: string, address: string): Buffer =>
  createHmac("sha256", key).update(`${id}\n${address}`).digest().subarray(0, DIGEST_BYTES);

/** What is stored of an address; undefined for what all share whose address is not known. */
export const placeOf = (id: string, address: string): Buffer | undefined =>
  address === UNKNOWN_ADDRESS ? undefined : digestBy(keyset()[0], id, address);

export function isKnownPlace(who: Known | undefined, address: string): boolean {
  if (who === undefined || who.knownPlaces.length === 0 || address === UNKNOWN_ADDRESS) return false;
  const digests = keyset().map((key) => digestBy(key, who.id, address));
  return who.knownPlaces.some((place) => digests.some((digest) => digest.equals(place)));
}
