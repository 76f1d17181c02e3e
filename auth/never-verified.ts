// Accounts whose address nobody has ever shown to be theirs, made by mistake, for a try or by a program. Whoever has one gets a mail
// when they register and may ask for it again; for KEEP_DAYS it waits. Then it goes, if nobody uses it: no sign-in of it lives or ended
// within a week, it is alone in what it belongs to, and that holds nothing of what an export would hand out. An installation
// that sends no mails verifies nobody, and keeps whatever is used.
import type { Tx } from "../db/tenant";
import { declaredExports } from "../db/tenant-export";
import type { Removed } from "../db/upkeep";
import { logger } from "../telemetry/logger";
import { removeAccount } from "./account-deletion";
import { closeOrganisation } from "./organisation-life";
import { ORGANISATIONS_PER_ACCOUNT_MAX } from "./organisations";
import { accountListNeverVerified, membershipsHeld, type NeverVerified } from "./store/account-life";

export const NEVER_VERIFIED_KEEP_DAYS = 30;

/** Removes at most `limit` of them, but for the first `passOver`, with the organisations that they are alone in. */
export async function purgeNeverVerified(tx: Tx, limit: number, passOver: number): Promise<Removed> {
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
  const which: NeverVerified = { keepDays: NEVER_VERIFIED_KEEP_DAYS, data, limit, passOver };
  const locked = await accountListNeverVerified(tx, which);
  const held = new Map<string, string[]>();
  for (const { id } of locked)
    held.set(
      id,
      (await membershipsHeld(tx, id, ORGANISATIONS_PER_ACCOUNT_MAX)).filter(isLive).map(({ tenantId }) => tenantId),
    );
  // Asked again behind the locks: who signed in, was joined or confirmed the address while these were waited for stays.
  const still = await accountListNeverVerified(tx, {
    ...which,
    limit: locked.length,
    passOver: 0,
    among: [...held.keys()],
  });
  for (const account of still) {
    for (const tenantId of held.get(account.id) ?? []) await closeOrganisation(tx, tenantId, 0);
    await removeAccount(tx, { ...account, isVerified: false });
  }
  return { rows: still.length, isOver: locked.length < limit };
}

const isLive = ({ isClosing }: { isClosing: boolean }): boolean => !isClosing;
