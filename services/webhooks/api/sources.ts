// The endpoints that set up who may send webhooks to an organisation, and the one that takes them.
import { currentRequest } from "encore.dev";
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { parseCursor } from "../../../db/cursor";
import { parseInput } from "../../../security/input";
import { readBoundedBody } from "../../../security/json-body";
import { currentPrincipal } from "../../../security/principal";
import { BODY_BYTES_MAX, takeWebhook } from "../incoming";
import { newSource, sourcePatch, secretOf } from "../input";
import { changeSource, createSource as create, getSource as get, removeSource as remove } from "../sources";
import { sourceList, type SourceRow } from "../store/sources";

interface WebhookSource {
  id: string;
  name: string;
  scheme: "standard" | "stripe" | "github";
  /** Where its sender posts to, at this server. */
  path: string;
  /** While its secret is being replaced: until then the one before is taken too. */
  previousSecretUntil?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

const shown = ({ id, name, scheme, previousUntil, createdAt, updatedAt }: SourceRow): WebhookSource => ({
  ...{ id, name, scheme, path: `/webhooks/in/${id}` },
  ...(previousUntil === null ? {} : { previousSecretUntil: previousUntil.toISOString() }),
  ...{ createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() },
});

interface CreateSourceRequest {
  /** For people. */
  name: string & MinLen<1> & MaxLen<100>;
  /** How it signs: as Standard Webhooks, Stripe or GitHub do. */
  scheme: "standard" | "stripe" | "github";
  /** What it signs with: `whsec_…` or the public key `whpk_…` (standard), `whsec_…` (Stripe), any text of 16 characters or more (GitHub). */
  secret: string & MinLen<16> & MaxLen<200>;
}

/** Sets up a sender of webhooks, which posts to `path` from then on. */
export const createSource = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/webhooks/sources",
    sensitive: true,
    tags: ["can:webhook.manage", "fresh"],
  },
  async (req: CreateSourceRequest): Promise<WebhookSource> =>
    shown(await create(currentPrincipal(), parseInput(newSource, req))),
);

interface ListSourcesRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListSourcesResponse {
  sources: WebhookSource[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's sources, the newest first. */
export const listSources = api(
  { expose: true, auth: true, method: "GET", path: "/webhooks/sources", tags: ["can:webhook.read"] },
  async ({ limit, cursor }: ListSourcesRequest): Promise<ListSourcesResponse> => {
    const { rows, next } = await sourceList(currentPrincipal(), Math.floor(limit ?? 50), parseCursor(cursor));
    return { sources: rows.map(shown), ...(next === undefined ? {} : { next }) };
  },
);

/** One of them. */
export const getSource = api(
  { expose: true, auth: true, method: "GET", path: "/webhooks/sources/:id", tags: ["can:webhook.read"] },
  async ({ id }: { id: string }): Promise<WebhookSource> => shown(await get(currentPrincipal(), id)),
);

interface UpdateSourceRequest {
  id: string;
  name?: string & MinLen<1> & MaxLen<100>;
  secret?: string & MinLen<16> & MaxLen<200>;
  /** How long the secret before is taken too, in whole hours; 24 if not given, nought when somebody else knows it. */
  overlapHours?: number & Min<0> & Max<168>;
}

/** Another name, or another secret. */
export const updateSource = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/webhooks/sources/:id",
    sensitive: true,
    tags: ["can:webhook.manage", "fresh"],
  },
  async ({ id, ...req }: UpdateSourceRequest): Promise<WebhookSource> => {
    const change = parseInput(sourcePatch, req);
    const row = await changeSource(currentPrincipal(), id, (scheme) => {
      if (change.secret !== null) parseInput(secretOf, { scheme, secret: change.secret });
      return change;
    });
    return shown(row);
  },
);

/** Removes a source with its secret: nothing more is taken from it. */
export const removeSource = api(
  { expose: true, auth: true, method: "DELETE", path: "/webhooks/sources/:id", tags: ["can:webhook.manage", "fresh"] },
  ({ id }: { id: string }): Promise<void> => remove(currentPrincipal(), id),
);

/** Takes a webhook, once: `{duplicate}` says whether it came before. Its body is read as it came, 128 KiB at most. */
export const receive = api.raw(
  {
    expose: true,
    method: "POST",
    path: "/webhooks/in/:source",
    bodyLimit: null,
    tags: ["public:the signature is the credential", "limit:webhook"],
  },
  async (req, resp) => {
    const call = currentRequest();
    const id = call?.type === "api-call" ? String(call.pathParams.source) : "";
    const body = await readBoundedBody(req, BODY_BYTES_MAX);
    const isNew = await takeWebhook(id, { headers: req.headers, body });
    resp.setHeader("content-type", "application/json");
    resp.end(JSON.stringify({ duplicate: !isNew }));
  },
);
