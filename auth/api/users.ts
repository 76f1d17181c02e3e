// The members of the caller's organisation as the users of /api/v1, which are listed as its records are (services/records). The rules are
// those of members and invitations: there are no other people.
import { api, HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { isUuid } from "../../db/ids";
import { readListing } from "../../db/listing/listing";
import { listRecords } from "../../db/listing/lists";
import { shownRecord } from "../../db/listing/resource";
import { recordList } from "../../db/listing/statement";
import { currentPrincipal, type Principal } from "../../security/principal";
import { errors } from "../errors";
import { inviteMember } from "../invitations";
import { changeMemberRole, removeMember } from "../members";
import { givenRole } from "../roles";
import { askUsers, users, type UserRow } from "../store/users";

interface UserResponse {
  id: string;
  email: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made (`custom`): GET /auth/roles. */
  roleId?: string;
  /** When they joined. ISO 8601. */
  createdAt: string;
}

/** In a list: the fields that the request names, or all. */
interface ListedUser {
  id: string;
  email?: string;
  role?: "owner" | "admin" | "member" | "viewer" | "custom";
  roleId?: string;
  createdAt?: string;
}

interface ListUsersRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, or `-createdAt`, which holds if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` is always there. */
  fields?: Query<string & MaxLen<400>>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`: each filter that is given holds. */
  email?: Query<string[]>;
  /** `eq.`, `in.` */
  role?: Query<string[]>;
  /** `eq.`, `in.` */
  roleId?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListUsersResponse {
  items: ListedUser[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's members that fit, in the order asked for. */
export const listUsers = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/users", tags: ["can:member.read"] },
  ({ page, limit, sort, cursor, fields, ...filters }: ListUsersRequest): Promise<ListUsersResponse> =>
    listRecords(currentPrincipal(), users, { page, limit, sort, cursor, fields, filters }, askUsers),
);

/** @throws APIError member_not_found, also for somebody of another organisation */
async function readUser({ tenantId }: Principal, id: string): Promise<UserResponse> {
  if (!isUuid(id)) throw errors.member_not_found();
  const listing = readListing(users, { limit: 1, filters: { id: [`eq.${id}`] } });
  const { rows } = await recordList({ tenantId, ask: askUsers }, users, listing, listing.conditions);
  const [row] = rows as unknown as UserRow[];
  if (row === undefined) throw errors.member_not_found();
  return shownRecord(row);
}

/** A member of the organisation. */
export const getUser = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/users/:id", tags: ["can:member.read"] },
  ({ id }: { id: string }): Promise<UserResponse> => readUser(currentPrincipal(), id),
);

interface CreateUserRequest {
  email: string & MinLen<3> & MaxLen<254>;
  /** One that holds no more than you do. */
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made, with `custom`. */
  roleId?: string;
}

interface InvitedUserResponse {
  /** 202: the user is there when they accept. */
  status: HttpStatus;
  /** Takes it back: DELETE /auth/invitations/:id. */
  invitationId: string;
  email: string;
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  roleId?: string;
  /** ISO 8601. */
  expiresAt: string;
}

/** Invites somebody by mail, as POST /auth/invitations: nobody is made a user by others. */
export const createUser = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/users",
    tags: ["can:member.manage", "fresh", "limit:mail", "idempotent"],
  },
  async ({ email: address, role, roleId }: CreateUserRequest): Promise<InvitedUserResponse> => {
    if (roleId !== undefined && !isUuid(roleId)) throw errors.role_not_found();
    const given = { email: address, ...givenRole({ role, roleId }) };
    const { id: invitationId, email, expiresAt } = await inviteMember(currentPrincipal(), given);
    const made = roleId === undefined ? {} : { roleId };
    const invitation = { invitationId, email, role, ...made, expiresAt: expiresAt.toISOString() };
    return { status: HttpStatus.Accepted, ...invitation };
  },
);

interface PatchUserRequest {
  id: string;
  /** One that holds no more than you do. */
  role: "owner" | "admin" | "member" | "viewer" | "custom";
  /** Of a role that the organisation made, with `custom`. */
  roleId?: string;
}

/** Gives a member another role, as PATCH /auth/members/:userId. */
export const updateUser = api(
  { expose: true, auth: true, method: "PATCH", path: "/api/v1/users/:id", tags: ["can:member.manage", "fresh"] },
  async ({ id, role, roleId }: PatchUserRequest): Promise<UserResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.member_not_found();
    if (roleId !== undefined && !isUuid(roleId)) throw errors.role_not_found();
    await changeMemberRole(principal, id, givenRole({ role, roleId }));
    return readUser(principal, id);
  },
);

/** Removes a member, as DELETE /auth/members/:userId; the account stays. */
export const removeUser = api(
  { expose: true, auth: true, method: "DELETE", path: "/api/v1/users/:id", tags: ["can:member.manage", "fresh"] },
  async ({ id }: { id: string }): Promise<void> => {
    if (!isUuid(id)) throw errors.member_not_found();
    await removeMember(currentPrincipal(), id);
  },
);
