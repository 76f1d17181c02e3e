// The members of the caller's organisation.
import { api, type Query } from "encore.dev/api";
import type { Max, Min } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { errors } from "../errors";
import { changeRole, removeMember as remove } from "../members";
import { membershipList } from "../store/memberships";

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
  role: "owner" | "admin" | "member" | "viewer";
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
    const members = rows.map(({ id, email, role, joinedAt }) => ({
      id,
      email,
      role,
      joinedAt: joinedAt.toISOString(),
    }));
    return { members, ...(next === undefined ? {} : { next }) };
  },
);

interface ChangeMemberRequest {
  userId: string;
  role: "owner" | "admin" | "member" | "viewer";
}

interface ChangedMemberResponse {
  id: string;
  role: "owner" | "admin" | "member" | "viewer";
}

/** Gives a member another role; access tokens of the old one are refused within two seconds. */
export const changeMember = api(
  { expose: true, auth: true, method: "PATCH", path: "/auth/members/:userId", tags: ["can:member.manage"] },
  async ({ userId, role }: ChangeMemberRequest): Promise<ChangedMemberResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(userId)) throw errors.member_not_found();
    return changeRole(principal, userId, role);
  },
);

/** Removes a member; the account stays. */
export const removeMember = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/members/:userId", tags: ["can:member.manage"] },
  async ({ userId }: { userId: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(userId)) throw errors.member_not_found();
    await remove(principal, userId);
  },
);
