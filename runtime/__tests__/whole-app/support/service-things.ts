// What an organisation has of the services that keep records, notify people and call others: made by its owner, so that others can ask for it.
// What it is called is what an attacker may know, so no id of it holds a word of the owner's.
import { createECDH, randomBytes } from "node:crypto";
import { v7 } from "uuid";
import type { Planter } from "./pairs/world";

/** One call of the owner's, which must succeed. */
export type OwnersCall = <T = { id: string }>(method: string, path: string, body?: unknown) => Promise<T>;

/** Nobody listens there. */
const NOWHERE = "http://127.0.0.1:9";
/** Nothing is sent while others ask: this happens to no organisation here. */
const RARE_EVENT = "assets.asset.deleted";
const ENDED_ORDER = /^(?:confirmed|cancelled|failed)$/;

/** An endpoint that nothing is sent to. */
export const unasked = (word: string) => ({ url: `${NOWHERE}/${word}`, description: word, eventTypes: [RARE_EVENT] });

/** @param word stands in every text of theirs. @param userId the owner. Resolves when nothing of it changes by itself any more. */
export async function makeServiceThings(
  call: OwnersCall,
  { word, userId }: { word: string; userId: string },
): Promise<Record<string, string>> {
  const made = async (path: string, body: unknown): Promise<string> => (await call("POST", path, body)).id;
  const product = await made("/api/v1/products", {
    sku: `${word}-sold`,
    name: word,
    priceMinor: 1,
    currency: "EUR",
    stock: 1,
  });
  const order = await made("/api/v1/orders", {
    items: [{ productId: product, quantity: 1 }],
    paymentToken: "development-approved",
    reference: word,
  });
  const ledgerAccount = await made("/api/v1/accounts", { code: `${word}-1`, name: word, kind: "expense" });
  const other = await made("/api/v1/accounts", { code: `${word}-2`, name: word, kind: "asset" });
  const entry = (accountId: string, amountMinor: number) => ({ accountId, amountMinor, currency: "EUR" });
  const transaction = await made("/api/v1/transactions", {
    entries: [entry(ledgerAccount, 1), entry(other, -1)],
    description: word,
    reference: word,
  });
  const spending = await made("/api/v1/budgets", {
    ...{ name: word, accountId: ledgerAccount, currency: "EUR" },
    ...{ amountMinor: 1_000, period: "month", timeZone: "Europe/Berlin" },
  });
  const [template, language] = ["planted.template", "en"];
  const topic = "planted.topic";
  await call("PUT", `/notifications/templates/${template}/${language}`, {
    title: word,
    body: `All that a template says of ${word}.`,
  });
  await call("PUT", `/notifications/topics/${topic}/subscribers`, { add: [userId] });
  const browser = createECDH("prime256v1");
  const keys = { p256dh: browser.generateKeys("base64url"), auth: randomBytes(16).toString("base64url") };
  const subscription = await made("/notifications/push-subscriptions", { endpoint: `${NOWHERE}/${word}`, keys });
  const source = await made("/webhooks/sources", { name: word, scheme: "github", secret: `the secret of ${word}` });
  const endpoint = await made("/webhooks/endpoints", unasked(word));
  while (!ENDED_ORDER.test((await call<{ state: string }>("GET", `/api/v1/orders/${order}`)).state))
    await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    soldProduct: product,
    order,
    ledgerAccount,
    transaction,
    spending,
    template,
    language,
    topic,
    subscription,
    source,
    endpoint,
  };
}

/** A message that did not arrive at the endpoint among the things, as the app writes one: it takes days until it says so itself. */
export async function plantMessage(
  database: Planter,
  { organisationId, things }: { organisationId: string; things: Record<string, string> },
  word = "planted",
): Promise<void> {
  const [message, delivery] = [v7(), v7()];
  things.message = message;
  const about = [organisationId, things.endpoint];
  await database.query(
    `insert into webhooks.message (tenant_id, id, event_type, aggregate, body) values ($1, $2, $3, $4, $4)`,
    [organisationId, message, RARE_EVENT, word],
  );
  await database.query(
    `insert into webhooks.delivery (id, tenant_id, endpoint_id, message_id, state, attempts, ended_at) values ($1, $2, $3, $4, 'failed', 1, now())`,
    [delivery, ...about, message],
  );
  await database.query(
    `insert into webhooks.attempt (id, tenant_id, endpoint_id, delivery_id, message_id, event_type, number, outcome, error, response, duration_ms)
     values ($1, $2, $3, $4, $5, $6, 1, 'failed', 'connection_refused', $7, 1)`,
    [v7(), ...about, delivery, message, RARE_EVENT, word],
  );
}
