// Who asks that somebody else be mailed, as far as that cannot be made up. Accounts and organisations cost nothing, so whatever they
// share is used up by whoever makes many: each standing has a share of its own, and making a standing up takes time.
//   newcomer      an address nobody confirmed, or made within a day
//   known         longer than a day
//   established   longer than 30 days
//   own           an organisation that asks for an address of a domain that it has verified: nobody else is that
// An organisation's age counts where it invites, not its members', and an account's where it moves to another address.
import type { Principal } from "../security/principal";
import { domainOf } from "./domains/name";
import { accountStanding, organisationStanding, type Standing } from "./store/standing";

const ages = { knownDays: 1, establishedDays: 30 };

/** Somebody who asks, by each of which a quota of their own is counted. */
export interface StandingAsker {
  ids: readonly string[];
  standing: Standing;
}

/** The caller and their organisation, which invites: its members share its quota, and what it belongs to shares the caller's. */
export async function invitingTo(email: string, { tenantId, subjectId }: Principal): Promise<StandingAsker> {
  const asked = { tenantId, accountId: subjectId, domain: domainOf(email), ...ages };
  return { ids: [subjectId, tenantId], standing: await organisationStanding(asked) };
}

/** An account that wants another address. */
export const movingAccount = async (accountId: string): Promise<StandingAsker> => ({
  ids: [accountId],
  standing: await accountStanding({ accountId, ...ages }),
});
