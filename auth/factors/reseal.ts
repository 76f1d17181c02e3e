// Secrets of second factors move under the present master key, so that an earlier one can be thrown away.
import { logger } from "../../telemetry/logger";
import { withSystem, type Tx } from "../../db/tenant";
import { EnvelopeError, open, seal, type Keyset } from "../../security/envelope";
import { totpListSealedByOthers, totpReseal, type SealedTotp } from "../store/factors";

const log = logger("auth");

const BATCH = 500;
/** Longer than a request's: a batch may read all accounts' secrets to find none, and nobody waits for it. */
const STATEMENT_TIMEOUT_MS = 30_000;
const BEFORE_ALL = "00000000-0000-0000-0000-000000000000";

/**
 * Seals with the first key what another one sealed, in batches that are transactions of their own.
 * Resolves with how many. What no key opens stays, and is told of once a run.
 */
export async function resealTotp(keyset: Keyset): Promise<number> {
  const counts = { resealed: 0, unopened: 0 };
  for (let after: string | undefined = BEFORE_ALL; after !== undefined;)
    after = await resealBatch(keyset, after, counts);
  if (counts.unopened > 0) {
    log.error(
      { secrets: counts.unopened },
      "secrets of authenticator apps do not open: put the master key that sealed them back",
    );
  }
  return counts.resealed;
}

/** Resolves with the account to go on behind; undefined when there is none. */
async function resealBatch(
  keyset: Keyset,
  after: string,
  counts: { resealed: number; unopened: number },
): Promise<string | undefined> {
  const reseal = async (tx: Tx): Promise<string | undefined> => {
    const rows = await totpListSealedByOthers(tx, { keyId: keyset[0].id, after, limit: BATCH });
    const resealed = rows.flatMap((row) => resealedRow(keyset, row) ?? []);
    counts.resealed += await totpReseal(tx, resealed);
    counts.unopened += rows.length - resealed.length;
    return rows.length === BATCH ? rows.at(-1)?.accountId : undefined;
  };
  return withSystem("reseal-second-factors", reseal, { statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}

function resealedRow(keyset: Keyset, { accountId, secretSealed }: SealedTotp): SealedTotp | undefined {
  try {
    return { accountId, secretSealed: seal(keyset, open(keyset, secretSealed, accountId), accountId) };
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return undefined;
  }
}
