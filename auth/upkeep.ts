// Removing what nobody can use any more, by db's loop of batches.
import { removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { purgeAccounts } from "./account-deletion";
import { purgeOrganisations } from "./organisation-life";
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
  organisations: number;
  accounts: number;
}

/** Resolves with what was removed. @throws DbError when even a small batch cannot be removed. */
export async function purgeEnded(budget: UpkeepBudget = BUDGET): Promise<Purged> {
  const sessions = await removeInBatches("purge-ended-sessions", budget, (tx, limit) =>
    sessionDeleteEnded(tx, KEEP_DAYS, limit),
  );
  const signingKeys = await removeInBatches("purge-ended-signing-keys", budget, (tx, limit) =>
    signingKeyDeleteEnded(tx, KEEP_DAYS, limit),
  );
  const revocations = await removeInBatches("purge-expired-revocations", budget, revocationDeleteExpired);
  const apiKeys = await removeInBatches("purge-expired-api-keys", budget, (tx, limit) =>
    apiKeyDeleteExpired(tx, KEEP_KEYS_DAYS, limit),
  );
  const oneTimeTokens = await removeInBatches("purge-expired-one-time-tokens", budget, oneTimeTokenDeleteExpired);
  const invitations = await removeInBatches("purge-expired-invitations", budget, invitationDeleteExpired);
  const operatorSessions = await removeInBatches("purge-operator-sessions", budget, operatorSessionDeleteExpired);
  const usedChallenges = await removeInBatches("purge-used-challenges", budget, usedChallengeDeleteExpired);
  const organisations = await removeInBatches(
    "purge-deleted-organisations",
    { ...budget, batchMax: 10 },
    purgeOrganisations,
  );
  const accounts = await removeInBatches("purge-deleted-accounts", { ...budget, batchMax: 10 }, purgeAccounts);
  return {
    sessions,
    signingKeys,
    revocations,
    apiKeys,
    oneTimeTokens,
    invitations,
    operatorSessions,
    usedChallenges,
    organisations,
    accounts,
  };
}
