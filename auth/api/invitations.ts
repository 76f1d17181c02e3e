// Inviting people into the caller's organisation, and accepting.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { callerAddress } from "../../security/caller-address";
import { currentCaller, currentPrincipal } from "../../security/principal";
import { presentingMailedToken } from "../attempts";
import { errors } from "../errors";
import { acceptInvitation as accept, inviteMember as invite, revokeInvitation as revoke } from "../invitations";
import { givenRole } from "../roles";
import { invitationList } from "../store/invitations";

interface InviteRequest {
  email: string & MinLen<3> & MaxLen<254>;
  /** One that holds no more than you do. */
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made, with `custom`. */
  roleId?: string;
}

interface InvitationResponse {
  id: string;
  email: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  roleId?: string;
  /** ISO 8601. */
  expiresAt: string;
}

/** Mails an invitation, good for a week; again for the same address replaces the one before. */
export const inviteMember = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/invitations",
    tags: ["can:member.manage", "fresh", "limit:mail", "idempotent"],
  },
  async ({ email: address, role, roleId }: InviteRequest): Promise<InvitationResponse> => {
    const principal = currentPrincipal();
    if (roleId !== undefined && !isUuid(roleId)) throw errors.role_not_found();
    const { id, email, expiresAt } = await invite(principal, { email: address, ...givenRole({ role, roleId }) });
    return { id, email, role, ...(roleId === undefined ? {} : { roleId }), expiresAt: expiresAt.toISOString() };
  },
);

interface InvitationsRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedInvitation {
  id: string;
  email: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  roleId?: string;
  /** The user who made it; it counts while they may give this role. */
  invitedBy: string;
  /** ISO 8601. */
  createdAt: string;
  expiresAt: string;
}

interface InvitationsResponse {
  invitations: ListedInvitation[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's pending invitations, the newest first. */
export const listInvitations = api(
  { expose: true, auth: true, method: "GET", path: "/auth/invitations", tags: ["can:member.manage"] },
  async ({ limit = 50, cursor }: InvitationsRequest): Promise<InvitationsResponse> => {
    const atMost = Math.floor(limit);
    const { rows, next } = pageOf(await invitationList(currentPrincipal(), atMost, parseCursor(cursor)), atMost);
    const invitations = rows.map(({ id, email, role, roleId, invitedBy, createdAt, expiresAt }) => ({
      id,
      email,
      role,
      ...(roleId === null ? {} : { roleId }),
      invitedBy,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
    }));
    return { invitations, ...(next === undefined ? {} : { next }) };
  },
);

/** Takes an invitation back: its link stops working. */
export const revokeInvitation = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/invitations/:id", tags: ["can:member.manage"] },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.invitation_not_found();
    await revoke(principal, id);
  },
);

interface AcceptInvitationRequest {
  /** Of the mail's link. */
  token: string & MinLen<1> & MaxLen<512>;
}

interface JoinedOrganisation {
  id: string;
  name: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
}

/** Makes the caller, whose address must be the invited one, a member; POST /auth/switch chooses the organisation. */
export const acceptInvitation = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/invitations/accept",
    sensitive: true,
    tags: ["self", "own-proof", "limit:auth"],
  },
  async ({ token }: AcceptInvitationRequest): Promise<JoinedOrganisation> => {
    const { id, name, role } = await presentingMailedToken(callerAddress(), () => accept(currentCaller(), token));
    return { id, name, role };
  },
);
