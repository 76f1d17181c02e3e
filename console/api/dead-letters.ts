// Dead letters of organisations: whose there are, why, and what is done about them. Those of no organisation are at
// /operator/events/dead-letters and /operator/queues/dead-letters.
import { auth } from "~encore/clients";
import { api, type Header, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import { parseCursor } from "../../db/cursor";
import { staffEvents, type StaffLetters, type StaffLook } from "../../events/staff-letters";
import { staffJobs } from "../../queues/staff-letters";
import { currentCaller, tenantIdFrom } from "../../security/principal";
import { errors } from "../errors";

const kinds: Readonly<Record<string, StaffLetters>> = { events: staffEvents, jobs: staffJobs };

/** @throws APIError console_kind_unknown. */
function lettersOf(kind: string): StaffLetters {
  const letters = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (letters === undefined) throw errors.console_kind_unknown();
  return letters;
}

interface LookRequest {
  /** `events` or `jobs`. */
  kind: string;
  /** For whom and what for: each organisation that is seen reads it. */
  reason?: Header<"X-Operator-Reason">;
}

interface LetterGroupOfOrganisation {
  organisationId: string;
  /** The consumer, or the job. */
  source: string;
  /** Why, in one lower_snake word. */
  cause: string;
  count: number;
  /** ISO 8601. */
  newestAt: string;
}

interface LetterGroupsResponse {
  /** Of the newest ten thousand open ones, 200 groups at most, the newest first. */
  groups: LetterGroupOfOrganisation[];
}

/** Which organisations have open dead letters, of whom and why. */
export const letterGroups = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/console/api/dead-letters/:kind",
    tags: ["can:operator.dead_letter.read"],
  },
  async ({ kind, reason }: LookRequest): Promise<LetterGroupsResponse> => {
    const groups = await lettersOf(kind).groups(operatorReasonFrom(reason));
    return {
      groups: groups.map(({ tenantId: organisationId, reason: cause, source, count, newestAt }) => {
        return { organisationId, source, cause, count, newestAt: newestAt.toISOString() };
      }),
    };
  },
);

interface OrganisationLettersRequest extends LookRequest {
  /** Of the organisation. */
  id: string;
  /** Only those of this consumer, or job. */
  source?: Query<string & MaxLen<200>>;
  /** Only those given up for this reason. */
  cause?: Query<string & MaxLen<100>>;
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface LetterForOperator {
  id: string;
  /** The consumer, or the job. */
  source: string;
  /** Of the event or the job. */
  messageId: string;
  /** Of the event; empty for a job. */
  type: string;
  /** Why, in one lower_snake word. */
  reason: string;
  /** The reason in words, as the organisation reads it. */
  error: string;
  /** What exactly went wrong. */
  internalError: string;
  traceId: string | null;
  attempts: number;
  /** ISO 8601. */
  deadAt: string;
}

interface OrganisationLettersResponse {
  deadLetters: LetterForOperator[];
  /** Absent on the last page. */
  next?: string;
}

/** A log is not begun for an id that somebody made up. @throws APIError console_organisation_not_found. */
async function lookAt({ id, reason }: { id: string; reason?: string }): Promise<StaffLook> {
  const told = operatorReasonFrom(reason);
  const { known } = await auth.organisationIsKnown({ id });
  if (!known) throw errors.console_organisation_not_found();
  return { tenantId: tenantIdFrom(id), operator: currentCaller(), reason: told };
}

/** An organisation's open dead letters that match, the newest first, with what exactly went wrong. */
export const organisationLetters = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/console/api/organisations/:id/dead-letters/:kind",
    tags: ["can:operator.dead_letter.read"],
  },
  async (req: OrganisationLettersRequest): Promise<OrganisationLettersResponse> => {
    const { kind, source, cause, limit, cursor } = req;
    const letters = lettersOf(kind);
    const page = [Math.floor(limit ?? 50), parseCursor(cursor)] as const;
    const { rows, next } = await letters.list(await lookAt(req), { source, reason: cause }, ...page);
    return { deadLetters: rows, ...(next === undefined ? {} : { next }) };
  },
);

/** All that it names must be true of a dead letter; it must name something. */
interface LettersFilter {
  ids?: string[] & MaxLen<500>;
  source?: string & MaxLen<200>;
  cause?: string & MaxLen<100>;
}

interface ChangeLettersRequest {
  /** Of the organisation. */
  id: string;
  /** `events` or `jobs`. */
  kind: string;
  /** For whom and what for: the organisation reads it. */
  reason?: Header<"X-Operator-Reason">;
  filter: LettersFilter;
}

interface ChangedLettersResponse {
  /** How many it were, 500 at most. */
  count: number;
  /** True: ask again for the rest. */
  more: boolean;
}

async function change(req: ChangeLettersRequest, act: "redrive" | "discard"): Promise<ChangedLettersResponse> {
  const { ids, source, cause } = req.filter;
  const letters = lettersOf(req.kind);
  const { count, isMore } = await letters[act](await lookAt(req), { ids, source, reason: cause });
  return { count, more: isMore };
}

/** Sends an organisation's open dead letters once more to who gave them up, the oldest first. */
export const redriveOrganisationLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/console/api/organisations/:id/dead-letters/:kind/redrive",
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangeLettersRequest): Promise<ChangedLettersResponse> => change(req, "redrive"),
);

/** Closes an organisation's open dead letters for good. */
export const discardOrganisationLetters = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/console/api/organisations/:id/dead-letters/:kind/discard",
    tags: ["can:operator.dead_letter.manage", "fresh"],
  },
  async (req: ChangeLettersRequest): Promise<ChangedLettersResponse> => change(req, "discard"),
);
