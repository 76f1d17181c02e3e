// The endpoints that set up where webhooks go.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { parseCursor } from "../../../db/cursor";
import { parseInput } from "../../../security/input";
import { can } from "../../../security/permissions";
import { currentPrincipal, type Principal } from "../../../security/principal";
import {
  changeEndpoint,
  createEndpoint as create,
  getEndpoint as get,
  removeEndpoint as remove,
  rotateEndpointKeys,
} from "../endpoints";
import { endpointPatch, newEndpoint, rotation } from "../input";
import { eventTypes } from "../outgoing";
import { endpointList, type EndpointRow } from "../store/endpoints";

interface WebhookEndpoint {
  id: string;
  /** To who may not change it without its path, which may hold a token: "https://hooks.example.com/…". */
  url: string;
  description: string;
  /** Which types of events go there; none: all of them. */
  eventTypes: string[];
  /** `aggregate`: what is about one thing arrives in its order, and waits while what came before is tried again. */
  ordering: "none" | "aggregate";
  status: "active" | "disabled";
  /** `by_hand`; `gone`: it answered 410; `failing`: nothing was delivered for five days. */
  disabledReason?: "by_hand" | "gone" | "failing";
  /** ISO 8601. */
  disabledAt?: string;
  /** The first failure since it answered last. */
  failingSince?: string;
  /** While its keys are being replaced: until then the ones before sign too. */
  previousKeysUntil?: string;
  createdAt: string;
  updatedAt: string;
}

const optional = <K extends string>(name: K, date: Date | null): { [N in K]?: string } =>
  (date === null ? {} : { [name]: date.toISOString() }) as { [N in K]?: string };

function shown(row: EndpointRow, principal: Principal): WebhookEndpoint {
  const { id, description, ordering, status, disabledReason } = row;
  const url = can(principal, "webhook.manage") ? row.url : `${new URL(row.url).origin}/…`;
  return {
    ...{ id, url, description, eventTypes: row.eventTypes, ordering, status },
    ...(disabledReason === null ? {} : { disabledReason }),
    ...optional("disabledAt", row.disabledAt),
    ...optional("failingSince", row.failingSince),
    ...optional("previousKeysUntil", row.previousUntil),
    ...{ createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() },
  };
}

interface CreateEndpointRequest {
  /** An https address of a public server. */
  url: string & MinLen<1> & MaxLen<2048>;
  description?: string & MaxLen<500>;
  /** Which types of events go there (`GET /webhooks/event-types`); all if none is given. */
  eventTypes?: string[] & MaxLen<100>;
  /** `aggregate`: what is about one thing arrives in its order. `none` if not given. */
  ordering?: "none" | "aggregate";
}

interface CreateEndpointResponse extends WebhookEndpoint {
  /** What a receiver verifies by (`whsec_…`, HMAC-SHA256). Shown this once. */
  secret: string;
  /** Or by this (`whpk_…`, ed25519). */
  publicKey: string;
}

/** Sets up an address that the organisation's events go to, signed as Standard Webhooks. */
export const createEndpoint = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/webhooks/endpoints",
    sensitive: true,
    tags: ["can:webhook.manage", "fresh"],
  },
  async (req: CreateEndpointRequest): Promise<CreateEndpointResponse> => {
    const principal = currentPrincipal();
    const { row, keys } = await create(principal, parseInput(newEndpoint, req));
    return { ...shown(row, principal), ...keys };
  },
);

interface ListEndpointsRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListEndpointsResponse {
  endpoints: WebhookEndpoint[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's endpoints, the newest first. */
export const listEndpoints = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/webhooks/endpoints",
    tags: ["can:webhook.read", "shows:webhook.manage"],
  },
  async ({ limit, cursor }: ListEndpointsRequest): Promise<ListEndpointsResponse> => {
    const principal = currentPrincipal();
    const { rows, next } = await endpointList(principal, Math.floor(limit ?? 50), parseCursor(cursor));
    return { endpoints: rows.map((row) => shown(row, principal)), ...(next === undefined ? {} : { next }) };
  },
);

/** One of them. */
export const getEndpoint = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/webhooks/endpoints/:id",
    tags: ["can:webhook.read", "shows:webhook.manage"],
  },
  async ({ id }: { id: string }): Promise<WebhookEndpoint> => {
    const principal = currentPrincipal();
    return shown(await get(principal, id), principal);
  },
);

interface UpdateEndpointRequest {
  id: string;
  url?: string & MinLen<1> & MaxLen<2048>;
  description?: string & MaxLen<500>;
  eventTypes?: string[] & MaxLen<100>;
  ordering?: "none" | "aggregate";
  /** `active` begins anew after a failure; what it missed meanwhile can be replayed. */
  status?: "active" | "disabled";
}

/** Changes an endpoint, disables it or enables it again. */
export const updateEndpoint = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/webhooks/endpoints/:id",
    tags: ["can:webhook.manage", "fresh"],
  },
  async ({ id, ...req }: UpdateEndpointRequest): Promise<WebhookEndpoint> => {
    const principal = currentPrincipal();
    return shown(await changeEndpoint(principal, id, parseInput(endpointPatch, req)), principal);
  },
);

interface RotateSecretRequest {
  id: string;
  /** How long the present keys sign too, in whole hours; 24 if not given, nought when somebody else knows them. */
  overlapHours?: number & Min<0> & Max<168>;
}

/** New keys for an endpoint. Until `previousKeysUntil` both sign, so that the receiver may change in between. */
export const rotateEndpoint = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/webhooks/endpoints/:id/rotate-secret",
    sensitive: true,
    tags: ["can:webhook.manage", "fresh"],
  },
  async ({ id, ...req }: RotateSecretRequest): Promise<CreateEndpointResponse> => {
    const { overlapHours } = parseInput(rotation, req);
    const principal = currentPrincipal();
    const { row, keys } = await rotateEndpointKeys(principal, id, overlapHours);
    return { ...shown(row, principal), ...keys };
  },
);

/** Removes an endpoint with its keys: nothing more goes there, also of what waits. */
export const removeEndpoint = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/webhooks/endpoints/:id",
    tags: ["can:webhook.manage", "fresh"],
  },
  ({ id }: { id: string }): Promise<void> => remove(currentPrincipal(), id),
);

/** The types of events that an endpoint may ask for. */
export const listEventTypes = api(
  { expose: true, auth: true, method: "GET", path: "/webhooks/event-types", tags: ["can:webhook.read"] },
  (): Promise<{ eventTypes: string[] }> => Promise.resolve({ eventTypes: [...eventTypes].sort() }),
);
