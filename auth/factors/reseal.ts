// Secrets of second factors move under the present master key, so that an earlier one can be thrown away.
import { logger } from "../../telemetry/logger";
import { withSystem } from "../../db/tenant";
import { goThrough } from "../../db/upkeep";
import { EnvelopeError, open, seal, type Keyset } from "../../security/envelope";
import { operatorListSealedByOthers, operatorReseal } from "../store/operators";
import { totpListSealedByOthers, totpReseal, type SealedTotp } from "../store/factors";

const log = logger("auth");

const BATCH = 500;
/** Longer than a request's: a batch may read all accounts' secrets to find none, and nobody waits for it. */
const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Seals with the first key what another one sealed, in batches that are transactions of their own.
 * Resolves with how many. What no key opens stays, and is told of once a run.
 */
export async function resealTotp(keyset: Keyset): Promise<number> {
  let resealedCount = 0;
  let unopened = 0;
  await goThrough("reseal-second-factors", STATEMENT_TIMEOUT_MS, async (tx, after) => {
    const rows = await totpListSealedByOthers(tx, { keyId: keyset[0].id, after, limit: BATCH });
    const resealed = rows.flatMap((row) => resealedRow(keyset, row) ?? []);
    resealedCount += await totpReseal(tx, resealed);
    unopened += rows.length - resealed.length;
    return rows.length === BATCH ? rows.at(-1)?.accountId : undefined;
  });
  if (unopened > 0) {
    log.error(
      { secrets: unopened },
      "secrets of authenticator apps do not open: put the master key that sealed them back",
    );
  }
  return resealedCount;
}

function resealedRow(keyset: Keyset, { accountId, secretSealed }: SealedTotp): SealedTotp | undefined {
  try {
    return { accountId, secretSealed: seal(keyset, open(keyset, secretSealed, accountId), accountId) };
  } catch (error) {
    if (!(error instanceof EnvelopeError)) throw error;
    return undefined;
  }
}

/** The same for operators, who are few. */
export function resealOperators(keyset: Keyset): Promise<number> {
  return withSystem("reseal-operators", async (tx) => {
    let resealed = 0;
    for (const { id, totpSealed } of await operatorListSealedByOthers(tx, { keyId: keyset[0].id, limit: BATCH })) {
      const renewed = resealedRow(keyset, { accountId: id, secretSealed: totpSealed });
      if (renewed === undefined) {
        log.error({ operatorId: id }, "an operator's secret does not open: reset the operator");
        continue;
      }
      await operatorReseal(tx, { id, totpSealed: renewed.secretSealed });
      resealed++;
    }
    return resealed;
  });
}
