// The members of the caller's organisation.
import { api, type Query } from "encore.dev/api";
import type { Max, Min } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { errors } from "../errors";
import { changeMemberRole, removeMember as remove } from "../members";
import { givenRole } from "../roles";
import { membershipList, membershipListContacts } from "../store/memberships";

interface MembersRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface Member {
  /** The user's id. */
  id: string;
  email: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made (`custom`): GET /auth/roles. */
  roleId?: string;
  /** ISO 8601. */
  joinedAt: string;
}

interface MembersResponse {
  members: Member[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's members, the newest first. */
export const listMembers = api(
  { expose: true, auth: true, method: "GET", path: "/auth/members", tags: ["can:member.read"] },
  async ({ limit = 50, cursor }: MembersRequest): Promise<MembersResponse> => {
    const atMost = Math.floor(limit);
    const found = await membershipList(currentPrincipal().tenantId, atMost, parseCursor(cursor));
    const { rows, next } = pageOf(found, atMost);
    const members = rows.map(({ id, email, role, roleId, joinedAt }) => ({
      id,
      email,
      role,
      ...(roleId === null ? {} : { roleId }),
      joinedAt: joinedAt.toISOString(),
    }));
    return { members, ...(next === undefined ? {} : { next }) };
  },
);

interface MemberContactsRequest {
  userIds: string[];
}

interface MemberContact {
  userId: string;
  /** Absent until its owner has shown to read its mails. */
  email?: string;
  /** The organisation's name. */
  organisation: string;
  /** It is on its way out: nobody is to be reached for it. */
  isClosing?: boolean;
}

interface MemberContactsResponse {
  contacts: MemberContact[];
}

const CONTACTS_MAX = 100;

/** For other services: how members of the caller's organisation are reached. Who is none is missing. */
export const memberContacts = api(
  { expose: false, auth: true, method: "POST", path: "/auth/members/contacts" },
  async ({ userIds }: MemberContactsRequest): Promise<MemberContactsResponse> => {
    const wanted = userIds.filter(isUuid).slice(0, CONTACTS_MAX);
    const found = await membershipListContacts(currentPrincipal().tenantId, wanted);
    const contacts = found.map(({ userId, email, organisation, isClosing }) => ({
      ...{ userId, organisation, ...(email === null ? {} : { email }) },
      ...(isClosing ? { isClosing } : {}),
    }));
    return { contacts };
  },
);

interface ChangeMemberRequest {
  userId: string;
  /** One that holds no more than you do. */
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made, with `custom`. */
  roleId?: string;
}

interface ChangedMemberResponse {
  id: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  roleId?: string;
}

/** Gives a member another role; access tokens of the old one are refused within two seconds. */
export const changeMember = api(
  { expose: true, auth: true, method: "PATCH", path: "/auth/members/:userId", tags: ["can:member.manage", "fresh"] },
  async ({ userId, role, roleId }: ChangeMemberRequest): Promise<ChangedMemberResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(userId)) throw errors.member_not_found();
    if (roleId !== undefined && !isUuid(roleId)) throw errors.role_not_found();
    await changeMemberRole(principal, userId, givenRole({ role, roleId }));
    return { id: userId, role, ...(roleId === undefined ? {} : { roleId }) };
  },
);

/** Removes a member; the account stays. */
export const removeMember = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/members/:userId", tags: ["can:member.manage", "fresh"] },
  async ({ userId }: { userId: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(userId)) throw errors.member_not_found();
    await remove(principal, userId);
  },
);
