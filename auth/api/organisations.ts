// What becomes of an organisation. Its id in the path must be that of the caller's present one, where a permission is asked.
import { currentRequest } from "encore.dev";
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { enterExport } from "../../audit/export-turns";
import { isUuid } from "../../db/ids";
import { downloadHeaders } from "../../security/headers";
import { currentCaller, currentPrincipal } from "../../security/principal";
import { errors } from "../errors";
import { beginExport, writeExport } from "../organisation-export";
import {
  deleteOrganisation as close,
  leaveOrganisation as leave,
  readOrganisation as read,
  renameOrganisation as rename,
  restoreOrganisation as restore,
  transferOrganisation as transfer,
} from "../organisation-life";

interface OrganisationRequest {
  id: string;
}

interface OrganisationResponse {
  id: string;
  name: string;
  /** ISO 8601. */
  createdAt: string;
}

/** The caller's organisation. */
export const readOrganisation = api(
  { expose: true, auth: true, method: "GET", path: "/auth/organisations/:id", tags: ["can:organisation.read"] },
  async ({ id }: OrganisationRequest): Promise<OrganisationResponse> => {
    const { name, createdAt } = await read(currentPrincipal(), id);
    return { id, name, createdAt: createdAt.toISOString() };
  },
);

interface RenameOrganisationRequest {
  id: string;
  name: string & MinLen<1> & MaxLen<200>;
}

interface RenamedOrganisationResponse {
  id: string;
  name: string;
}

/** Gives the caller's organisation another name. */
export const renameOrganisation = api(
  { expose: true, auth: true, method: "PATCH", path: "/auth/organisations/:id", tags: ["can:organisation.update"] },
  async ({ id, name }: RenameOrganisationRequest): Promise<RenamedOrganisationResponse> => ({
    id,
    name: await rename(currentPrincipal(), id, name),
  }),
);

interface DeletedOrganisationResponse {
  id: string;
  /** Until then an owner can restore it. ISO 8601. */
  purgeAt: string;
}

/** Deletes the caller's organisation: nobody acts in it any more; it is removed after 30 days, unless it is restored. */
export const deleteOrganisation = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/organisations/:id",
    tags: ["can:organisation.delete", "fresh", "limit:auth"],
  },
  async ({ id }: OrganisationRequest): Promise<DeletedOrganisationResponse> => {
    const purgeAt = await close(currentPrincipal(), id);
    return { id, purgeAt: purgeAt.toISOString() };
  },
);

/** Takes the deletion of an organisation back; for its owners. GET /auth/organisations lists those of the caller. */
export const restoreOrganisation = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/organisations/:id/restore",
    tags: ["self", "own-proof", "limit:auth"],
  },
  async ({ id }: OrganisationRequest): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.organisation_not_found();
    await restore(caller, id);
  },
);

/** Ends the caller's own membership. The last owner hands it over or deletes it instead. */
export const leaveOrganisation = api(
  { expose: true, auth: true, method: "POST", path: "/auth/organisations/:id/leave", tags: ["self", "limit:auth"] },
  async ({ id }: OrganisationRequest): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.organisation_not_found();
    await leave(caller, id);
  },
);

interface TransferRequest {
  id: string;
  /** A member. */
  userId: string;
}

/** Makes a member an owner and the caller, an owner, an admin. */
export const transferOrganisation = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/organisations/:id/transfer",
    tags: ["can:organisation.delete", "fresh", "limit:auth"],
  },
  async ({ id, userId }: TransferRequest): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(userId)) throw errors.member_not_found();
    await transfer(principal, id, userId);
  },
);

/** Everything that the caller's organisation may take with it, as lines of JSON; the last line has counts and a SHA-256. For owners. */
export const exportOrganisation = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/auth/organisations/:id/export",
    tags: ["can:organisation.export", "fresh", "limit:export"],
  },
  async (_req, resp) => {
    const principal = currentPrincipal();
    const leave = enterExport(principal);
    try {
      const id = pathId();
      const reading = await beginExport(principal, id);
      resp.setHeader("content-type", "application/x-ndjson; charset=utf-8");
      for (const [name, value] of Object.entries(downloadHeaders(`organisation-${id}.ndjson`)))
        resp.setHeader(name, value);
      await writeExport(principal, resp, new Date(), { reading });
    } finally {
      leave();
    }
  },
);

function pathId(): string {
  const call = currentRequest();
  return call?.type === "api-call" ? ((call.pathParams as { id?: string }).id ?? "") : "";
}
