// Service principals: machines of an organisation. They sign in with API keys of their own, act within what they were
// given, and stay when the person who made them leaves or is demoted. Whoever changes one holds all that it holds: nobody
// gives what they do not have, and nobody weakens what is stronger than they are.
import { z } from "zod";
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { servicePrincipalChanged, servicePrincipalCreated, servicePrincipalDeleted } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { parseInput } from "../security/input";
import type { Permission } from "../security/permissions";
import { tenantIdFrom, type Principal, type TenantId } from "../security/principal";
import { lockActing } from "./acting-now";
import { keyName, tellRevoked } from "./api-keys";
import { assertHolds, assertHoldsStored, scopeFor } from "./authority";
import { errors } from "./errors";
import { apiKeyDeleteOfService, apiKeyDeleteOfServices } from "./store/api-keys";
import {
  servicePrincipalCount,
  servicePrincipalDelete,
  servicePrincipalDeleteAll,
  servicePrincipalFindForUpdate,
  servicePrincipalInsert,
  servicePrincipalIsNameTaken,
  servicePrincipalUpdate,
  type ServicePrincipalRow,
} from "./store/service-principals";

export const SERVICE_PRINCIPALS_PER_ORGANISATION_MAX = 100;

const created = defineAction("auth.service_principal.created", { name: "plain", permissions: "plain" });
const changed = defineAction("auth.service_principal.changed", {
  name: "plain",
  permissions: "plain",
  previousPermissions: "plain",
  isDisabled: "plain",
});
const deleted = defineAction("auth.service_principal.deleted", { name: "plain" });

const about = (tenantId: TenantId, id: string): Parameters<typeof emit>[3] => ({
  aggregateType: "service-principal",
  aggregateId: id,
  tenantId,
});
const target = (id: string): { type: string; id: string } => ({ type: "service_principal", id });

export interface ServicePrincipal {
  id: string;
  name: string;
  permissions: string[];
  isDisabled: boolean;
}

/** @throws APIError invalid_request, permission_denied, service_principal_exists, too_many_service_principals. */
export async function createServicePrincipal(
  principal: Principal,
  input: { name: string; permissions: readonly string[] },
): Promise<ServicePrincipal> {
  const { name } = parseInput(z.object({ name: keyName }), { name: input.name });
  const { tenantId } = principal;
  const id = newId();
  const permissions = await withSystem("change-service-principals", async (tx) => {
    const held = await lockActing(tx, principal, "service_principal.manage");
    const given = grantable(held, input.permissions);
    if ((await servicePrincipalCount(tx, tenantId)) >= SERVICE_PRINCIPALS_PER_ORGANISATION_MAX)
      throw errors.too_many_service_principals();
    const createdAt = await servicePrincipalInsert(tx, { id, tenantId, name, permissions: given });
    if (createdAt === undefined) throw errors.service_principal_exists();
    const payload = { servicePrincipalId: id, organisationId: tenantId, permissions: given };
    await emit(tx, servicePrincipalCreated, payload, about(tenantId, id));
    await record(tx, created, { tenantId, target: target(id), fields: { name, permissions: given.join(" ") } });
    return given;
  });
  return { id, name, permissions, isDisabled: false };
}

/** All that was named, or a refusal: a machine that lacks something fails later, and elsewhere. */
function grantable(held: ReadonlySet<Permission>, wanted: readonly string[]): Permission[] {
  const given = scopeFor(held, wanted);
  assertHolds(new Set(given), wanted);
  return given;
}

export interface ServicePrincipalChange {
  name?: string | undefined;
  permissions?: readonly string[] | undefined;
  isDisabled?: boolean | undefined;
}

/** Its keys follow within two seconds. @throws APIError service_principal_not_found, and as createServicePrincipal. */
export async function changeServicePrincipal(
  principal: Principal,
  id: string,
  change: ServicePrincipalChange,
): Promise<ServicePrincipal> {
  const wanted = parseInput(z.object({ name: keyName.optional() }), { name: change.name });
  const { tenantId } = principal;
  return withSystem("change-service-principals", async (tx) => {
    const { held, service } = await serviceToChange(tx, principal, id);
    const next: ServicePrincipalRow = {
      name: wanted.name ?? service.name,
      permissions: change.permissions === undefined ? service.permissions : grantable(held, change.permissions),
      isDisabled: change.isDisabled ?? service.isDisabled,
    };
    if (await servicePrincipalIsNameTaken(tx, { tenantId, id, name: next.name }))
      throw errors.service_principal_exists();
    await servicePrincipalUpdate(tx, { tenantId, id, ...next });
    const { permissions, isDisabled, name } = next;
    const payload = { servicePrincipalId: id, organisationId: tenantId, permissions, isDisabled };
    await emit(tx, servicePrincipalChanged, payload, about(tenantId, id));
    const previousPermissions = service.permissions.join(" ");
    const fields = { name, permissions: permissions.join(" "), previousPermissions, isDisabled };
    await record(tx, changed, { tenantId, target: target(id), fields });
    return { id, ...next };
  });
}

/** Its keys go with it. @throws APIError service_principal_not_found, permission_denied. */
export async function deleteServicePrincipal(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  await withSystem("change-service-principals", async (tx) => {
    const { service } = await serviceToChange(tx, principal, id);
    for (const key of await apiKeyDeleteOfService(tx, tenantId, id)) await tellRevoked(tx, tenantId, key.id);
    await servicePrincipalDelete(tx, { tenantId, id });
    await emit(tx, servicePrincipalDeleted, { servicePrincipalId: id, organisationId: tenantId }, about(tenantId, id));
    await record(tx, deleted, { tenantId, target: target(id), fields: { name: service.name } });
  });
}

/** All of an organisation, with their keys. The caller holds membershipLock. */
export async function forgetServicePrincipals(tx: Tx, tenant: string): Promise<void> {
  const tenantId = tenantIdFrom(tenant);
  for (const key of await apiKeyDeleteOfServices(tx, tenantId)) await tellRevoked(tx, tenantId, key.id);
  for (const { id, name } of await servicePrincipalDeleteAll(tx, tenantId)) {
    const payload = { servicePrincipalId: id, organisationId: tenantId };
    await emit(tx, servicePrincipalDeleted, payload, about(tenantId, id));
    await record(tx, deleted, { tenantId, target: target(id), fields: { name } });
  }
}

async function serviceToChange(
  tx: Tx,
  principal: Principal,
  id: string,
): Promise<{ held: ReadonlySet<Permission>; service: ServicePrincipalRow }> {
  const { tenantId } = principal;
  const held = await lockActing(tx, principal, "service_principal.manage");
  const service = await servicePrincipalFindForUpdate(tx, { tenantId, id });
  if (service === undefined) throw errors.service_principal_not_found();
  assertHoldsStored(held, service.permissions);
  return { held, service };
}
