// The service principals of the caller's organisation: machines that hold API keys of their own.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { errors } from "../errors";
import {
  changeServicePrincipal as change,
  createServicePrincipal as create,
  deleteServicePrincipal as remove,
} from "../service-principals";
import { servicePrincipalList } from "../store/service-principals";

interface CreateServicePrincipalRequest {
  name: string & MinLen<1> & MaxLen<200>;
  /** What it may do: at least one, of those that you hold and that a key may hold. */
  permissions: string[];
}

interface ServicePrincipalResponse {
  id: string;
  name: string;
  permissions: string[];
  /** Whether its keys are refused. */
  disabled: boolean;
}

/** Makes a service principal; POST /auth/api-keys with its id makes a key for it. */
export const createServicePrincipal = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/service-principals",
    tags: ["can:service_principal.manage", "fresh", "limit:auth", "idempotent"],
  },
  async (req: CreateServicePrincipalRequest): Promise<ServicePrincipalResponse> => {
    const { isDisabled, ...made } = await create(currentPrincipal(), req);
    return { ...made, disabled: isDisabled };
  },
);

interface ServicePrincipalsRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedServicePrincipal {
  id: string;
  name: string;
  permissions: string[];
  disabled: boolean;
  /** How many keys it has that have not expired. */
  keys: number;
  /** ISO 8601. */
  createdAt: string;
  /** When the last used of these keys was used, to the hour; absent when none was. */
  lastUsedAt?: string;
}

interface ServicePrincipalsResponse {
  servicePrincipals: ListedServicePrincipal[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's service principals, the newest first. */
export const listServicePrincipals = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/auth/service-principals",
    tags: ["can:service_principal.read"],
  },
  async ({ limit = 50, cursor }: ServicePrincipalsRequest): Promise<ServicePrincipalsResponse> => {
    const atMost = Math.floor(limit);
    const found = await servicePrincipalList(currentPrincipal(), atMost, parseCursor(cursor));
    const { rows, next } = pageOf(found, atMost);
    const servicePrincipals = rows.map(({ id, name, permissions, isDisabled, keys, createdAt, lastUsedAt }) => ({
      id,
      name,
      permissions,
      disabled: isDisabled,
      keys,
      createdAt: createdAt.toISOString(),
      ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
    }));
    return { servicePrincipals, ...(next === undefined ? {} : { next }) };
  },
);

interface ChangeServicePrincipalRequest {
  id: string;
  name?: string & MinLen<1> & MaxLen<200>;
  permissions?: string[];
  /** True refuses its keys until it is set to false. */
  disabled?: boolean;
}

/** Renames it, gives it other permissions, disables or enables it; its keys follow within two seconds. */
export const changeServicePrincipal = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/auth/service-principals/:id",
    tags: ["can:service_principal.manage", "fresh", "limit:auth"],
  },
  async ({ id, name, permissions, disabled }: ChangeServicePrincipalRequest): Promise<ServicePrincipalResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.service_principal_not_found();
    const { isDisabled, ...changed } = await change(principal, id, { name, permissions, isDisabled: disabled });
    return { ...changed, disabled: isDisabled };
  },
);

/** Deletes it, and its keys: every process refuses them within two seconds. */
export const deleteServicePrincipal = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/service-principals/:id",
    tags: ["can:service_principal.manage", "fresh"],
  },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.service_principal_not_found();
    await remove(principal, id);
  },
);
