// An organisation that has one of everything that deferred work acts on, with a word of its own in every text.
import { auth, records, webhooks } from "~encore/clients";
import { z } from "zod";
import { register } from "../../auth/registration";
import { readAccessToken } from "../../auth/tokens";
import { overridePut } from "../../flags/store";
import { defineSaga, type Saga } from "../../sagas/definition";
import { sagaInsert } from "../../sagas/store/saga";
import { registerSaga } from "../../sagas/worker";
import { putSecret } from "../../secrets/tenant-secret";
import { principalFrom, type AuthData, type Principal, type TenantId } from "../../security/principal";
import { reserve, settle } from "../../services/ai/ledger";
import { inPieces } from "../../services/assets/__tests__/files";
import { uploadAsset } from "../../services/assets/upload";
import { APPROVED_TOKEN } from "../../services/records/providers/development-payments";
import { orderSaga } from "../../services/records/order-saga";
import { askWithin } from "../listing/ask";
import { orderInsert } from "../../services/records/store/orders";
import { sendEvent } from "../../services/webhooks/outgoing";
import { ingest } from "../../vectors/ingestion";
import { newId } from "../ids";
import { systemQuery, withTenant, type Tx } from "../tenant";
import type { Named } from "./named-payloads";

export interface RichTenant {
  authData: AuthData;
  tenantId: TenantId;
  /** What belongs to it, by the names that payloads give it. */
  named: Named;
  /** Of the suite's own saga; payloads name the order's. */
  ownSagaId: string;
}

/** Beside the app's own. */
export const saga = defineSaga({
  name: "db:name-document",
  version: 1,
  input: z.object({ documentId: z.uuid() }),
}).step("name", {
  run: (tx, { tenantId, input: { documentId } }) =>
    tx.execute("update vectors.document set title = 'By a saga' where tenant_id = $1 and id = $2", [
      tenantId,
      documentId,
    ]),
  undo: "nothing",
});
registerSaga(saga);

export const FILE_TEXT = (word: string): string => `# ${word}\n\nA file of ${word}.`;

export async function makeTenant(word: string): Promise<RichTenant> {
  const email = `${word}-${crypto.randomUUID()}@example.com`;
  const { accessToken } = await register({ email, password: crypto.randomUUID(), organisation: word }, new Date());
  const authData = await readAccessToken(accessToken, new Date());
  const principal = principalFrom(authData);
  const { tenantId } = principal;
  const caller = { authData };
  const { id: documentId } = await ingest(principal, { source: `${word}.md`, text: `## ${word}\n\nOf ${word}.` }, "m");
  await putSecret(principal, word, `the secret of ${word}`);
  const role = await auth.createRole({ name: word, permissions: ["document.read"] }, caller);
  const machine = await auth.createServicePrincipal({ name: word, permissions: ["document.read"] }, caller);
  const key = await auth.createApiKey({ name: word }, caller);
  const invitation = await auth.inviteMember({ email: `guest-${email}`, role: "viewer" }, caller);
  const asset = await uploadAsset(principal, { name: `${word}.md`, source: inPieces(Buffer.from(FILE_TEXT(word))) });
  const offered = { sku: word, name: word, priceMinor: 1, currency: "EUR", stock: 5 };
  const { id: productId } = await records.createProduct(offered, caller);
  const order = { id: newId(), sagaId: newId() };
  const accounts = [];
  for (const code of ["bank", "rent"])
    accounts.push(await records.createAccount({ code: `${word}-${code}`, name: word, kind: "asset" }, caller));
  const entries = accounts.map(({ id: accountId }, at) => ({ accountId, amountMinor: 2 * at - 1, currency: "EUR" }));
  const { id: transactionId } = await records.createTransaction({ entries, reference: word }, caller);
  await spend(principal, word);
  const webhookDeliveryId = await missWebhook(caller, tenantId, word);
  const flag = { tenantId, flag: "idempotency", value: "true", reason: word, changedBy: word };
  await withTenant(principal, (tx) => overridePut(tx, flag));
  const [content] = await systemQuery<{ id: string }>("test", "select id from assets.content where tenant_id = $1", [
    tenantId,
  ]);
  const ids = {
    notificationId: newId(),
    mailToSend: newId(),
    pushToSend: newId(),
    digestToSend: newId(),
    memberId: newId(),
  };
  await notify(principal, ids, word);
  const tenant = {
    ownSagaId: newId(),
    authData,
    tenantId,
    named: {
      organisationId: tenantId,
      userId: authData.userID,
      accountId: authData.userID,
      ownerId: authData.userID,
      sessionId: authData.sessionId ?? "",
      documentId,
      roleId: role.id,
      servicePrincipalId: machine.id,
      keyId: key.id,
      invitationId: invitation.id,
      assetId: asset.id,
      /** As a removed file's bytes are named. */
      id: content!.id,
      /** How the sources of a file's documents begin. */
      source: `assets/${asset.id}/`,
      ...ids,
      orderId: order.id,
      transactionId,
      reversesId: transactionId,
      sagaId: order.sagaId,
      /** As events call its saga. */
      name: orderSaga.name,
      webhookDeliveryId,
    },
  };
  await beginSaga(tenant, saga, tenant.ownSagaId, { documentId });
  await beginSaga(tenant, orderSaga, order.sagaId, { orderId: order.id });
  await withTenant(principal, (tx) => placeOrder(tx, { ...tenant, word }, { ...order, productId }));
  return tenant;
}

/** Something that waits to be decided about, and what waits to be sent. */
async function notify(
  { tenantId, subjectId }: Pick<Principal, "tenantId" | "subjectId">,
  { notificationId, mailToSend, pushToSend }: Named,
  word: string,
): Promise<void> {
  await systemQuery(
    "test",
    `with sent as (insert into notifications.notification (tenant_id, id, category, content, sender)
                   values ($1, $3, 'rich', jsonb_build_object('title', $5::text, 'body', $5::text), 'user:' || $2::text)),
          recipient as (insert into notifications.recipient (tenant_id, user_id, notification_id) values ($1, $2::uuid, $3))
     insert into notifications.delivery (tenant_id, id, notification_id, user_id, channel, destination, state)
     values ($1, $4, $3, $2::uuid, 'email', $5::text || '@example.com', 'queued'),
            ($1, $6, $3, $2::uuid, 'push', gen_random_uuid()::text, 'queued')`,
    [tenantId, subjectId, notificationId, mailToSend, word, pushToSend],
  );
}

async function spend(principal: Parameters<typeof reserve>[0], word: string): Promise<void> {
  const call = {
    ...{ kind: "generate" as const, provider: word, model: word, keyOf: "organisation" as const },
    price: { input: 1, output: 1 },
    worst: { inputTokens: 1, outputTokens: 1 },
  };
  const reservation = await reserve(principal, call, new Date(), 1_000_000_000);
  await settle(principal, reservation, { outcome: "answered", inputTokens: 1, outputTokens: 1 });
}

/** To an endpoint that is disabled, so that nothing is sent before a test asks for it, and where nobody listens. */
async function missWebhook(caller: { authData: AuthData }, tenantId: TenantId, word: string): Promise<string> {
  const type = "webhooks.endpoint.disabled";
  const endpoint = { url: "http://127.0.0.1:9/", description: word, eventTypes: [type] };
  const { id: endpointId } = await webhooks.createEndpoint(endpoint, caller);
  await webhooks.updateEndpoint({ id: endpointId, status: "disabled" }, caller);
  const about = { aggregateType: "any", aggregateId: word, actor: "system", correlationId: word };
  const event = { id: newId(), type, version: 1, occurredAt: new Date(), payload: { word } };
  await withTenant({ tenantId }, (tx) => sendEvent(tx, { ...event, ...about, tenantId }));
  const [delivery] = await systemQuery<{ id: string }>(
    "test",
    "select id from webhooks.delivery where tenant_id = $1 and message_id = $2",
    [tenantId, event.id],
  );
  return delivery!.id;
}

/** Its job is left out, so that it waits for whoever drives it. */
async function beginSaga(
  { tenantId }: RichTenant,
  { name, version, steps }: Pick<Saga, "name" | "version" | "steps">,
  id: string,
  input: object,
): Promise<void> {
  const stepNames = steps.map((step) => step.name);
  await withTenant({ tenantId }, (tx) =>
    sagaInsert(tx, {
      ...{ id, tenantId, name, version, stepNames, actor: "system", correlationId: "" },
      inputText: JSON.stringify(input),
    }),
  );
}

async function placeOrder(
  tx: Tx,
  { tenantId, authData, word }: RichTenant & { word: string },
  { id, sagaId, productId }: { id: string; sagaId: string; productId: string },
): Promise<void> {
  const items = [{ productId, sku: word, name: word, quantity: 1, unitPriceMinor: 1, amountMinor: 1 }];
  const money = { currency: "EUR", totalMinor: 1, paymentToken: APPROVED_TOKEN };
  const fields = { reference: word, placedBy: authData.userID, ...money, sagaId, items };
  await orderInsert(askWithin(tx), { tenantId, id }, fields);
}

/** What was done for it waits to be done again, so that whoever does it in its name is seen. */
export async function undoWork({ tenantId, named }: RichTenant): Promise<void> {
  await systemQuery(
    "test",
    "insert into notifications.preference (tenant_id, user_id, settings) values ($1, $2, '{}') on conflict do nothing",
    [tenantId, named.memberId],
  );
  await systemQuery(
    "test",
    `insert into notifications.digest (tenant_id, id, user_id, category, destination, due_at)
     values ($1, $2, $3, 'rich', 'x', now()) on conflict do nothing`,
    [tenantId, named.digestToSend, named.userId],
  );
  for (const statement of [
    "update vectors.document set status = 'pending', splitter = 0, counted_chunks = null, ready_at = null where tenant_id = $1",
    "update vectors.embedding set model = null, embedding = null where tenant_id = $1",
    "update assets.asset set status = 'pending' where tenant_id = $1",
    "update notifications.recipient set state = 'pending', is_shown = false where tenant_id = $1",
    "update notifications.delivery set state = 'queued', reason = null where tenant_id = $1 and channel <> 'in_app'",
    "delete from sagas.step where tenant_id = $1",
    "update sagas.saga set state = 'running', position = 0, run_id = null, leased_until = null, due_at = now(), ended_at = null where tenant_id = $1",
  ])
    await systemQuery("test", statement, [tenantId]);
  await systemQuery(
    "test",
    "update webhooks.endpoint set status = 'active', disabled_reason = null, disabled_at = null where tenant_id = $1",
    [tenantId],
  );
  const pending = "update webhooks.delivery set state = 'pending', attempts = 0, ended_at = null where id = $1";
  await systemQuery("test", pending, [named.webhookDeliveryId]);
}
