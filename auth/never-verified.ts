// Accounts whose address nobody has ever shown to be theirs, made by mistake, for a try or by a program. Whoever has one gets a mail
// when they register and may ask for it again; for KEEP_DAYS it waits. Then it goes, if nobody uses it: no sign-in of it lives or ended
// within a week, it has no passkey and no identity, it is alone in what it belongs to, and that holds nothing of what an export
// would hand out. An installation that sends no mails verifies nobody, and keeps whatever is used.
import type { Tx } from "../db/tenant";
import { declaredExports, type ExportedTable } from "../db/tenant-export";
import type { UpkeepBudget } from "../db/upkeep";
import { createProgress, removePassingOver, type Position, type Things } from "../db/upkeep-walk";
import { logger } from "../telemetry/logger";
import { removeAccount } from "./account-deletion";
import { closeOrganisation } from "./organisation-life";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { accountListUnused, accountListWaiting, membershipsHeld } from "./store/account-life";

export const NEVER_VERIFIED_KEEP_DAYS = 30;
/** That a transaction closes; one account may have as many. */
const ORGANISATIONS_MAX = 100;

/** Where nobody is mailed, nobody is verified, and whoever uses the app stays: more than a run can look at. */
const progress = createProgress();

type Forgotten = Position & { email: string; organisations: string[] };

/** Removes them, from where the run before had got to, with the organisations that they are alone in; resolves with their number. */
export async function purgeNeverVerified(budget: UpkeepBudget): Promise<number> {
  const { exported, missing } = declaredExports();
  if (missing.length > 0) {
    // What those rooms hold is not known here, so nobody is known to have nothing.
    logger("auth").warn(
      { rooms: missing },
      "accounts that were never verified are kept: rooms are missing in this process",
    );
    return 0;
  }
  const data = exported.filter(({ isFromTheStart }) => isFromTheStart !== true);
  return removePassingOver("purge-never-verified-accounts", budget, neverVerified(data), progress);
}

/** For removePassingOver; `data` are the tables in which an organisation that is used has something. */
export const neverVerified = (data: readonly ExportedTable[]): Things<Forgotten> => ({
  list: async (tx, after, limit) => {
    const waiting = await accountListWaiting(tx, NEVER_VERIFIED_KEEP_DAYS, after, limit);
    const ids = waiting.map(({ id }) => id);
    const things: Forgotten[] = [];
    let closing = 0;
    for (const account of ids.length === 0 ? [] : await accountListUnused(tx, ids, data)) {
      const organisations = await liveOrganisations(tx, account.id);
      things.push({ ...account, organisations });
      closing += organisations.length;
      if (closing >= ORGANISATIONS_MAX) return { things, last: account };
    }
    return { things, last: waiting.length < limit ? undefined : waiting.at(-1) };
  },
  remove: async (tx, things) => {
    // Asked again behind the locks: who signed in, was joined or confirmed the address while these were waited for stays.
    const ids = things.map(({ id }) => id);
    let areGone = true;
    const still = new Set((await accountListUnused(tx, ids, data)).map(({ id }) => id));
    for (const { id, email, organisations } of things.filter((thing) => still.has(thing.id))) {
      for (const tenantId of organisations) await closeOrganisation(tx, tenantId, 0);
      areGone = (await removeAccount(tx, { id, email, isVerified: false })) && areGone;
    }
    return areGone;
  },
});

/** Locks those of the account; resolves with the ids of those that are not closing. */
const liveOrganisations = async (tx: Tx, accountId: string): Promise<string[]> =>
  (await membershipsHeld(tx, accountId, ORGANISATIONS_PER_ACCOUNT_MAX))
    .filter(({ isClosing }) => !isClosing)
    .map(({ tenantId }) => tenantId);
