// The domains of the caller's organisation: what it shows to be its own, so that its provider may vouch for people there.
import { api } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import {
  addDomain as add,
  DOMAINS_PER_ORGANISATION_MAX,
  removeDomain as remove,
  verifyDomain as verify,
} from "../domains/domains";
import { recordOf } from "../domains/name";
import { recheckDomains } from "../domains/recheck";
import { errors } from "../errors";
import { domainList, type DomainRow } from "../store/domains";

interface AddDomainRequest {
  /** As it stands behind the @ of addresses. */
  domain: string & MinLen<1> & MaxLen<253>;
}

interface DomainResponse {
  id: string;
  domain: string;
  /** To be made at the domain's name server, and to stay there. */
  record: { type: "TXT"; name: string; value: string };
  /** ISO 8601. */
  createdAt: string;
  /** Since when it is verified; absent while it is not. */
  verifiedAt?: string;
  /** When name servers last answered. */
  checkedAt?: string;
  /** Since when the record of a verified one is not there: after three days it is verified no more. */
  missingSince?: string;
}

function shown({ id, name, token, createdAt, verifiedAt, checkedAt, missingSince }: DomainRow): DomainResponse {
  return {
    id,
    domain: name,
    record: { type: "TXT", ...recordOf(name, token) },
    createdAt: createdAt.toISOString(),
    ...(verifiedAt === null ? {} : { verifiedAt: verifiedAt.toISOString() }),
    ...(checkedAt === null ? {} : { checkedAt: checkedAt.toISOString() }),
    ...(missingSince === null ? {} : { missingSince: missingSince.toISOString() }),
  };
}

/** Names a domain; POST /auth/domains/:id/verify looks for the record that it answers. */
export const addDomain = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/domains",
    tags: ["can:domain.manage", "fresh", "limit:auth", "idempotent"],
  },
  async ({ domain }: AddDomainRequest): Promise<DomainResponse> => shown(await add(currentPrincipal(), domain)),
);

interface DomainsResponse {
  domains: DomainResponse[];
}

/** The organisation's domains by name, at most 50: it has no more. */
export const listDomains = api(
  { expose: true, auth: true, method: "GET", path: "/auth/domains", tags: ["can:domain.read"] },
  async (): Promise<DomainsResponse> => ({
    domains: (await domainList(currentPrincipal(), DOMAINS_PER_ORGANISATION_MAX)).map(shown),
  }),
);

/** Looks for the record; once it is there, the domain is the organisation's, unless another one shows its own there too. */
export const verifyDomain = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/domains/:id/verify",
    tags: ["can:domain.manage", "limit:auth"],
  },
  async ({ id }: { id: string }): Promise<DomainResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.domain_not_found();
    return shown(await verify(principal, id));
  },
);

/** Gives a domain up. */
export const removeDomain = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/domains/:id", tags: ["can:domain.manage", "fresh"] },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.domain_not_found();
    await remove(principal, id);
  },
);

/** Upkeep: whether the records of verified domains are still there. */
export const checkDomains = api(
  { expose: false, method: "POST", path: "/auth/domains/check" },
  async (): Promise<void> => {
    await recheckDomains();
  },
);

export const checkDomainsHourly = new CronJob("auth-check-domains", {
  title: "Look for the records of verified domains",
  every: "1h",
  endpoint: checkDomains,
});
