// Requests through the guard, as Encore's wrapper runs them, to endpoints whose effect is a row.
import { HandlerResponse, type MiddlewareRequest } from "encore.dev/api";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { guardOf } from "../../security/guard";
import { tenantIdFrom, type AuthData } from "../../security/principal";
import { startIdempotency } from "../start";

export const MASTER_KEY = "a-master-key-of-the-idempotency-tests-0123456789";
const guard = guardOf("test")[0]!;
startIdempotency(() => MASTER_KEY);

export const member = (): AuthData & { tenantId: string } => ({
  userID: newId(),
  tenantId: newId(),
  role: "member",
  sessionId: newId(),
});

export interface Sent {
  key?: string | string[];
  path?: string;
  body?: unknown;
  /** What the endpoint does, once. */
  handler: () => Promise<unknown>;
  /** What the endpoint sets beside its answer. */
  header?: Record<string, string>;
  status?: number;
  raw?: boolean;
  endpoint?: string;
  tags?: string[];
}

/** As a client sees it, so far as the endpoint made it. */
export interface Seen {
  payload: unknown;
  header: unknown;
  status: number | undefined;
  wasReplayed: boolean;
}

/** One request; rejects with the error that is answered. */
export async function send(sent: Sent): Promise<Seen> {
  const { key, path = "/things", body = { a: 1 }, handler, tags = ["caller", "idempotent"], raw = false } = sent;
  const req = {
    requestMeta: {
      type: "api-call",
      method: "POST",
      path,
      pathAndQuery: path,
      pathParams: {},
      headers: key === undefined ? {} : { "idempotency-key": key },
      parsedPayload: body,
      api: { service: "test", endpoint: sent.endpoint ?? "make", raw, auth: true, tags },
      trace: { traceId: "0123456789abcdefghijklmnos", spanId: "vvvvvvvvvvvvu" },
    },
  } as unknown as MiddlewareRequest;
  const response = await guard(req, async () => {
    const made = new HandlerResponse(await handler());
    for (const [name, value] of Object.entries(sent.header ?? {})) made.header.set(name, value);
    if (sent.status !== undefined) made.status = sent.status;
    return made;
  });
  const { payload, extraHeaders = {}, status } = response.__internalToResponse();
  const { "idempotent-replayed": replayed, ...rest } = extraHeaders;
  const header = Object.fromEntries(Object.entries(rest).filter(([name]) => name.startsWith("x-made")));
  return { payload: payload as unknown, header, status, wasReplayed: replayed === "true" };
}

/** An effect that anybody can count: a row of the tenant. */
export const addRow = (tenantId: string, name: string = newId()): Promise<string> =>
  withTenant({ tenantId: tenantIdFrom(tenantId) }, async (tx) => {
    await tx.execute("insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1)", [
      tenantId,
      name,
    ]);
    return name;
  });

export async function countRows(tenantId: string): Promise<number> {
  const [row] = await systemQuery<{ n: number }>(
    "test",
    "select count(*)::int as n from queues.tenant_turn where tenant_id = $1",
    [tenantId],
  );
  return row?.n ?? -1;
}

export interface KeptRow {
  answer: Buffer | null;
  hasEffect: boolean;
  isAnswered: boolean;
}

/** What is kept of a tenant's keys. */
export const keptRows = (tenantId: string | null): Promise<KeptRow[]> =>
  systemQuery<KeptRow>(
    "test",
    `select answer, effect_at is not null as "hasEffect", answered_at is not null as "isAnswered"
       from idempotency.request where tenant_id is not distinct from $1::uuid`,
    [tenantId],
  );

/** As if the process that serves it had died a lease ago. */
export const endLeases = (tenantId: string): Promise<unknown> =>
  systemQuery("test", "update idempotency.request set leased_until = now() where tenant_id = $1", [tenantId]);
