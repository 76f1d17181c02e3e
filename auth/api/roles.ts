// The roles that the caller's organisation made of permissions, beside owner, admin, member and viewer.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { errors } from "../errors";
import { changeRole as change, createRole as create, deleteRole as remove } from "../roles";
import { roleList } from "../store/roles";

interface CreateRoleRequest {
  name: string & MinLen<1> & MaxLen<200>;
  /** At least one, of those that you hold; what only an owner has cannot be given. */
  permissions: string[];
}

interface RoleResponse {
  id: string;
  name: string;
  permissions: string[];
}

/** Makes a role of permissions; PATCH /auth/members/:userId with its id gives it to somebody. */
export const createRole = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/roles",
    tags: ["can:role.manage", "fresh", "limit:auth", "idempotent"],
  },
  async (req: CreateRoleRequest): Promise<RoleResponse> => create(currentPrincipal(), req),
);

interface RolesRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedRole {
  id: string;
  name: string;
  permissions: string[];
  /** How many members have it. */
  members: number;
  /** ISO 8601. */
  createdAt: string;
}

interface RolesResponse {
  roles: ListedRole[];
  /** Absent on the last page. */
  next?: string;
}

/** The roles that the organisation made, the newest first. */
export const listRoles = api(
  { expose: true, auth: true, method: "GET", path: "/auth/roles", tags: ["can:role.read"] },
  async ({ limit = 50, cursor }: RolesRequest): Promise<RolesResponse> => {
    const atMost = Math.floor(limit);
    const { rows, next } = pageOf(await roleList(currentPrincipal(), atMost, parseCursor(cursor)), atMost);
    const roles = rows.map(({ id, name, permissions, members, createdAt }) => ({
      id,
      name,
      permissions,
      members,
      createdAt: createdAt.toISOString(),
    }));
    return { roles, ...(next === undefined ? {} : { next }) };
  },
);

interface ChangeRoleRequest {
  id: string;
  name?: string & MinLen<1> & MaxLen<200>;
  permissions?: string[];
}

/** Renames a role or gives it other permissions; whoever has it has these within two seconds. */
export const changeRole = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/auth/roles/:id",
    tags: ["can:role.manage", "fresh", "limit:auth"],
  },
  async ({ id, ...req }: ChangeRoleRequest): Promise<RoleResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.role_not_found();
    return change(principal, id, req);
  },
);

/** Deletes a role that nobody has and nobody is invited to. */
export const deleteRole = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/roles/:id",
    tags: ["can:role.manage", "fresh", "limit:auth"],
  },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.role_not_found();
    await remove(principal, id);
  },
);
