// Whether somebody showed something of their account's own. What an organisation's provider says opens that organisation, and
// nothing else that the account's person has: whoever runs the provider can be any of its people. Elsewhere one session for
// everything opened other organisations too (better-auth issue 9013, growthbook pull request 6451).

import { commonErrors } from "./common-errors";

/** What `amr` calls the word of an organisation's provider; each of its other names is of something of the account's own. */
export const NOT_OWN = "sso";

/** Of the names of `amr`: a session that says nothing of them has shown nothing. */
export const isOwnProof = (amr: readonly string[]): boolean => amr.some((name) => name !== "" && name !== NOT_OWN);

/** For what is the account's, or of another organisation than the one that vouches. @throws APIError own_proof_required. */
export function assertOwnProof(caller: { readonly amr?: string | undefined } | undefined): void {
  if (!isOwnProof(caller?.amr?.split(" ") ?? [])) throw commonErrors.own_proof_required();
}
