// What the platform's staff looks at. Looks into an organisation want a reason, which stands in its log with who looked.
import { api, type Header, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import { platformEntries, systemUses, type EntryPage } from "../../audit/operator-view";
import { parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentCaller } from "../../security/principal";
import { searchOrganisations, seeAudit, seeMembers, seeOrganisation } from "../operators/looks";
import { organisationExists, type SeenOrganisation } from "../store/operators";

interface OrganisationForOperator {
  id: string;
  name: string;
  /** ISO 8601. */
  createdAt: string;
  members: number;
  /** Of one that its owner deleted: when it will be gone. */
  purgeAt?: string;
}

const shownOrganisation = ({ id, name, createdAt, members, purgeAt }: SeenOrganisation): OrganisationForOperator => ({
  id,
  name,
  createdAt: createdAt.toISOString(),
  members,
  ...(purgeAt === null ? {} : { purgeAt: purgeAt.toISOString() }),
});

interface SearchOrganisationsRequest {
  /** Of a member. */
  email: Query<string & MinLen<3> & MaxLen<254>>;
  /** For whom and what for: each organisation that is found reads it. */
  reason?: Header<"X-Operator-Reason">;
}

interface SearchOrganisationsResponse {
  organisations: OrganisationForOperator[];
}

/** The organisations of who has this e-mail. */
export const operatorOrganisations = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/organisations",
    tags: ["can:operator.organisation.read"],
  },
  async ({ email, reason }: SearchOrganisationsRequest): Promise<SearchOrganisationsResponse> => {
    const found = await searchOrganisations(email, operatorReasonFrom(reason));
    return { organisations: found.map(shownOrganisation) };
  },
);

interface LookRequest {
  id: string;
  /** For whom and what for: the organisation reads it. */
  reason?: Header<"X-Operator-Reason">;
}

/** One organisation. */
export const operatorOrganisation = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/organisations/:id",
    tags: ["can:operator.organisation.read"],
  },
  async ({ id, reason }: LookRequest): Promise<OrganisationForOperator> =>
    shownOrganisation(await seeOrganisation(currentCaller(), id, operatorReasonFrom(reason))),
);

interface KnownOrganisationResponse {
  known: boolean;
}

/** Whether there is such an organisation: for services that let operators look into one. */
export const organisationIsKnown = api(
  { expose: false, method: "POST", path: "/auth/organisation-is-known" },
  async ({ id }: { id: string }): Promise<KnownOrganisationResponse> => ({
    known: isUuid(id) && (await organisationExists(id)),
  }),
);

interface MemberForOperator {
  id: string;
  role: string;
  /** ISO 8601. */
  since: string;
}

interface MembersForOperatorResponse {
  /** The first thousand, the oldest first; without their e-mails. */
  members: MemberForOperator[];
}

/** An organisation's members: ids and roles. */
export const operatorMembers = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/organisations/:id/members",
    tags: ["can:operator.member.read"],
  },
  async ({ id, reason }: LookRequest): Promise<MembersForOperatorResponse> => {
    const members = await seeMembers(currentCaller(), id, operatorReasonFrom(reason));
    return {
      members: members.map(({ id: member, role, since }) => ({ id: member, role, since: since.toISOString() })),
    };
  },
);

interface AuditForOperatorRequest extends LookRequest {
  limit?: Query<number & Min<1> & Max<200>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface PlatformAuditRequest {
  limit?: Query<number & Min<1> & Max<200>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface EntryTarget {
  type: string;
  id: string;
}

interface EntryForOperator {
  id: string;
  seq: number;
  /** ISO 8601. */
  at: string;
  action: string;
  actor: string;
  target?: EntryTarget;
  correlationId: string;
  fields: { [name: string]: string | number | boolean | null };
  /** Hidden from operators. */
  personal?: { [name: string]: string | number | boolean | null };
}

interface EntriesForOperatorResponse {
  /** The newest first. */
  entries: EntryForOperator[];
  /** Absent on the last page. */
  next?: string;
}

const shownPage = ({ entries, next }: EntryPage): EntriesForOperatorResponse => ({
  entries,
  ...(next === undefined ? {} : { next }),
});

const pageOf = ({ limit, cursor }: PlatformAuditRequest): Parameters<typeof seeAudit>[3] => ({
  limit: Math.floor(limit ?? 50),
  cursor: parseCursor(cursor),
});

/** An organisation's audit log, without what is personal. */
export const operatorAudit = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/organisations/:id/audit",
    tags: ["can:operator.audit.read"],
  },
  async ({ id, reason, ...page }: AuditForOperatorRequest): Promise<EntriesForOperatorResponse> =>
    shownPage(await seeAudit(currentCaller(), id, operatorReasonFrom(reason), pageOf(page))),
);

/** The installation's own log: operators and commands. */
export const platformAudit = api(
  { expose: true, auth: true, method: "GET", path: "/operator/audit", tags: ["can:operator.system.read"] },
  async (req: PlatformAuditRequest): Promise<EntriesForOperatorResponse> =>
    shownPage(await platformEntries(currentCaller(), pageOf(req))),
);

interface SystemUseRequest {
  /** How many hours back, 24 if not given. */
  hours?: Query<number & Min<1> & Max<168>>;
}

interface SystemUse {
  /** Its beginning, ISO 8601. */
  hour: string;
  reason: string;
  uses: number;
  lastAt: string;
}

interface SystemUseResponse {
  uses: SystemUse[];
}

/** How often the app acted outside of any tenant, by reason and hour. */
export const systemUse = api(
  { expose: true, auth: true, method: "GET", path: "/operator/system-use", tags: ["can:operator.system.read"] },
  async ({ hours }: SystemUseRequest): Promise<SystemUseResponse> => {
    const rows = await systemUses(Math.floor(hours ?? 24), new Date());
    return {
      uses: rows.map(({ hour, reason, uses, lastAt }) => ({
        hour: hour.toISOString(),
        reason,
        uses,
        lastAt: lastAt.toISOString(),
      })),
    };
  },
);
