// How many rows of auth each master key has sealed: an envelope names its key (security/envelope.ts).
import type { SealedRows } from "../../db/master-keys";
import { systemQuery } from "../../db/tenant";

const STATEMENT_TIMEOUT_MS = 60_000;

/** Reads all of them, once a start: nobody waits for it. */
export function sealedCount(): Promise<SealedRows[]> {
  return systemQuery<SealedRows>(
    "count-sealed-rows",
    `select what, encode(key_id, 'hex') as "keyId", count(*) as rows from (
       select 'signing keys' as what, substring(private_wrapped from 2 for 4) as key_id from auth.signing_key
        where verify_until is null or verify_until > clock_timestamp()
       union all select 'secrets of authenticator apps', substring(secret_sealed from 2 for 4) from auth.totp
       union all select 'secrets of operators'' authenticator apps', substring(totp_sealed from 2 for 4) from auth.operator
                  where totp_sealed is not null) sealed
      group by what, key_id order by what, key_id limit 100`,
    [],
    { statementTimeoutMs: STATEMENT_TIMEOUT_MS },
  );
}
