// Looking again whether the records of verified domains are still there: each once a day, and every hour while it is missing.
// A look that nobody answers says nothing: our own resolver may be away, and must not take everybody's domains. Domains are
// claimed in batches by the time of their next look, so replicas share the work and one that is killed leaves it for an hour.
import { withSystem } from "../../db/tenant";
import { logger } from "../../telemetry/logger";
import { domainClaimDue, domainNoteMissing, domainNoteShown, type DueDomainRow } from "../store/domains";
import { lookUpTxt, type TxtLookup } from "./dns";
import { loseDomain } from "./domains";
import { recordOf, shows } from "./name";

const log = logger("auth");

/** How long a record may be missing: name servers are moved, and panels lose records. */
export const MISSING_DAYS = 3;
/** No more than may wait for a turn at the resolver. */
const BATCH = 64;
const RUN_MS = 5 * 60_000;

export interface Rechecked {
  shown: number;
  missing: number;
  unanswered: number;
  lost: number;
}

export async function recheckDomains(lookUp: TxtLookup = lookUpTxt, runMs = RUN_MS): Promise<Rechecked> {
  const endsAtMs = performance.now() + runMs;
  const sum: Rechecked = { shown: 0, missing: 0, unanswered: 0, lost: 0 };
  for (let due = BATCH; due === BATCH && performance.now() < endsAtMs;) {
    const domains = await withSystem("recheck-domains", (tx) => domainClaimDue(tx, BATCH));
    due = domains.length;
    const looks = await Promise.all(domains.map((domain) => look(domain, lookUp)));
    await note(domains, looks, sum);
  }
  if (sum.missing > 0) log.warn({ ...sum }, "records of verified domains are missing");
  return sum;
}

type Look = "shown" | "missing" | "unanswered";

async function look({ name, token }: DueDomainRow, lookUp: TxtLookup): Promise<Look> {
  const texts = await lookUp(recordOf(name, token).name).catch(() => undefined);
  if (texts === undefined) return "unanswered";
  return shows(texts, token) ? "shown" : "missing";
}

async function note(domains: readonly DueDomainRow[], looks: readonly Look[], sum: Rechecked): Promise<void> {
  for (const seen of looks) sum[seen]++;
  const shown = domains.filter((_domain, at) => looks[at] === "shown").map(({ id }) => id);
  if (shown.length > 0) await withSystem("recheck-domains", (tx) => domainNoteShown(tx, shown));
  for (const domain of domains.filter((_domain, at) => looks[at] === "missing"))
    await withSystem("recheck-domains", async (tx) => {
      const isLost = await domainNoteMissing(tx, { ...domain, days: MISSING_DAYS });
      if (isLost && (await loseDomain(tx, domain, "missing"))) sum.lost++;
    });
}
