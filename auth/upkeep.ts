// Removing what nobody can use any more, by db's loop of batches.
import { removeEach, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { removePassingOver } from "../db/upkeep-walk";
import { dueAccounts } from "./account-deletion";
import { purgeNeverVerified } from "./never-verified";
import { dueOrganisations } from "./organisation-life";
import { apiKeyDeleteExpired } from "./store/api-keys";
import { invitationDeleteExpired } from "./store/invitations";
import { operatorSessionDeleteExpired } from "./store/operators";
import { usedChallengeDeleteExpired } from "./store/factors";
import { oneTimeTokenDeleteExpired } from "./store/one-time-tokens";
import { revocationDeleteExpired } from "./store/revocations";
import { sessionDeleteEnded } from "./store/sessions";
import { signingKeyDeleteEnded } from "./store/signing-keys";

/** What has ended stays a week, for whoever asks what happened. */
const KEEP_DAYS = 7;
/** Who looks for why a program stopped finds its key in the list. */
const KEEP_KEYS_DAYS = 30;

const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 10 * 60_000, batchMax: 1000 };

export interface Purged {
  sessions: number;
  signingKeys: number;
  revocations: number;
  apiKeys: number;
  oneTimeTokens: number;
  invitations: number;
  operatorSessions: number;
  usedChallenges: number;
  neverVerified: number;
  organisations: number;
  accounts: number;
}

/** Resolves with what was removed. @throws what failed, once everything had its turn. */
export function purgeEnded(budget: UpkeepBudget = BUDGET): Promise<Purged> {
  const few = { ...budget, batchMax: 10 };
  return removeEach({
    sessions: () =>
      removeInBatches("purge-ended-sessions", budget, (tx, limit) => sessionDeleteEnded(tx, KEEP_DAYS, limit)),
    signingKeys: () =>
      removeInBatches("purge-ended-signing-keys", budget, (tx, limit) => signingKeyDeleteEnded(tx, KEEP_DAYS, limit)),
    revocations: () => removeInBatches("purge-expired-revocations", budget, revocationDeleteExpired),
    apiKeys: () =>
      removeInBatches("purge-expired-api-keys", budget, (tx, limit) => apiKeyDeleteExpired(tx, KEEP_KEYS_DAYS, limit)),
    oneTimeTokens: () => removeInBatches("purge-expired-one-time-tokens", budget, oneTimeTokenDeleteExpired),
    invitations: () => removeInBatches("purge-expired-invitations", budget, invitationDeleteExpired),
    operatorSessions: () => removeInBatches("purge-operator-sessions", budget, operatorSessionDeleteExpired),
    usedChallenges: () => removeInBatches("purge-used-challenges", budget, usedChallengeDeleteExpired),
    // Before organisations: those that they were alone in go at once.
    neverVerified: () => purgeNeverVerified({ ...budget, batchMax: 50 }),
    organisations: () => removePassingOver("purge-deleted-organisations", few, dueOrganisations),
    accounts: () => removePassingOver("purge-deleted-accounts", few, dueAccounts),
  });
}
