// Looking again whether the records of verified domains are still there: each once a day, and every hour while it is missing.
// A look that nobody answers says nothing where our own resolver may be away, which must not take everybody's domains: it counts
// only when the name servers of the top-level domain answer meanwhile. So a domain that expired, or whose servers are gone, is
// lost too, after longer. A look that fails on our side is no look: it says nothing of anybody, all others are noted, and the
// run ends with it; so is what cannot be noted, as while somebody holds its organisation. Where a whole batch fails the run stops.
// Owners are warned first: at once of a record that is not there, after a day of servers that fail. Domains are
// claimed in batches by the time of their next look, so replicas share the work and one that is killed leaves it for an hour.
import { withSystem } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { logger } from "../../telemetry/logger";
import { tellOwners } from "../owner-notices";
import {
  domainClaimDue,
  domainNoteMissing,
  domainNoteShown,
  domainNoteUnanswered,
  type DueDomainRow,
} from "../store/domains";
import { membershipLock } from "../store/memberships";
import { lookUps, type TxtLookups } from "./dns";

type Lookup = TxtLookups["upkeep"];
import { loseDomain } from "./domains";
import { recordOf, shows, topLevelOf } from "./name";

const log = logger("auth");

/** How long a record may be missing: name servers are moved, and panels lose records. */
export const MISSING_DAYS = 3;
/** How long its name servers may fail: an outage is not a sale. */
export const UNANSWERED_DAYS = 14;
/** One look that fails is no news. */
export const UNANSWERED_WARN_HOURS = 24;
/** No more than may wait for a turn at the resolver. */
const BATCH = 64;
const RUN_MS = 5 * 60_000;
/** An error of a whole run is one line of the log. */
const FAILURES_KEPT = 10;

export interface Rechecked {
  shown: number;
  missing: number;
  /** Of these domains themselves: others answer. */
  unanswered: number;
  /** Where nobody answers, whom one can't tell from our own resolver. */
  unknown: number;
  lost: number;
}

/** @throws AggregateError of what failed on our side, once all that was seen is noted. */
export async function recheckDomains(lookUp: Lookup = lookUps.upkeep, runMs = RUN_MS): Promise<Rechecked> {
  const endsAtMs = performance.now() + runMs;
  const sum: Rechecked = { shown: 0, missing: 0, unanswered: 0, unknown: 0, lost: 0 };
  const lookAbove = once(lookUp);
  const failures = new Failures();
  for (let due = BATCH; due === BATCH && performance.now() < endsAtMs;) {
    const domains = await withSystem("recheck-domains", (tx) => domainClaimDue(tx, BATCH));
    due = domains.length;
    const before = failures.domains;
    const looks = await Promise.all(
      domains.map((domain) => failures.unless<Look>(() => look(domain, lookUp, lookAbove), "unknown")),
    );
    await note(domains, looks, sum, failures);
    if (failures.domains - before >= BATCH) break;
  }
  if (sum.missing + sum.unanswered > 0) log.warn({ ...sum }, "records of verified domains are not found");
  failures.throwAny();
  return sum;
}

/** What failed on our side: how many domains it kept from being looked at or noted, and the first errors, which stand for all. */
class Failures {
  domains = 0;
  private readonly first: unknown[] = [];

  async unless<T>(act: () => Promise<T>, otherwise: T, domains = 1): Promise<T> {
    try {
      return await act();
    } catch (error) {
      this.domains += domains;
      if (this.first.length < FAILURES_KEPT) this.first.push(error);
      return otherwise;
    }
  }

  throwAny(): void {
    if (this.domains === 0) return;
    throw new AggregateError(this.first, `${this.domains} domains could not be looked at, or what was seen not noted`);
  }
}

type Look = "shown" | "missing" | "unanswered" | "unknown";

/** Null where we did not ask at all, because our own turns are taken: that says nothing of anybody. Nothing else is that. */
const asked = (name: string, lookUp: Lookup): Promise<string[] | undefined | null> =>
  lookUp(name).catch((error: unknown) => {
    if (reasonOf(error) === "service_unavailable") return null;
    throw error;
  });

/** Whether anybody answers for a top-level domain: asked once a run. */
function once(lookUp: Lookup): (name: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>();
  return (name) => {
    const answers = known.get(name) ?? asked(name, lookUp).then((texts) => texts !== undefined && texts !== null);
    known.set(name, answers);
    return answers;
  };
}

async function look(
  { name, token }: DueDomainRow,
  lookUp: Lookup,
  lookAbove: (name: string) => Promise<boolean>,
): Promise<Look> {
  const texts = await asked(recordOf(name, token).name, lookUp);
  if (texts === null) return "unknown";
  if (texts !== undefined) return shows(texts, token) ? "shown" : "missing";
  return (await lookAbove(topLevelOf(name))) ? "unanswered" : "unknown";
}

async function note(
  domains: readonly DueDomainRow[],
  looks: readonly Look[],
  sum: Rechecked,
  failures: Failures,
): Promise<void> {
  for (const seen of looks) sum[seen]++;
  const of = (seen: Look): DueDomainRow[] => domains.filter((_domain, at) => looks[at] === seen);
  const shown = of("shown").map(({ id }) => id);
  const noteShown = (): Promise<void> => withSystem("recheck-domains", (tx) => domainNoteShown(tx, shown));
  if (shown.length > 0) await failures.unless(noteShown, undefined, shown.length);
  for (const how of ["missing", "unanswered"] as const)
    for (const domain of of(how)) sum.lost += await failures.unless<0 | 1>(() => noteFailing(domain, how), 0);
}

/** Resolves with how many are lost by it. */
async function noteFailing(domain: DueDomainRow, how: "missing" | "unanswered"): Promise<0 | 1> {
  const { tenantId, name } = domain;
  return withSystem("recheck-domains", async (tx) => {
    await membershipLock(tx, tenantId);
    const failing =
      how === "missing"
        ? await domainNoteMissing(tx, { ...domain, days: MISSING_DAYS })
        : await domainNoteUnanswered(tx, { ...domain, days: UNANSWERED_DAYS, warnHours: UNANSWERED_WARN_HOURS });
    if (failing?.isLost === true) return (await loseDomain(tx, domain, how)) ? 1 : 0;
    if (failing?.isNews === true) await tellOwners(tx, tenantId, `domain-${how}`, name);
    return 0;
  });
}
