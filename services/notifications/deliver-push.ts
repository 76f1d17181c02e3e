// Sends one delivery as a push message (RFC 8030). The push service is a stranger's address: it is called through the guard against
// requests into our own network, follows no redirect and has ten seconds.
import { createECDH, randomBytes } from "node:crypto";
import { cfg } from "../../config";
import type { TenantScope } from "../../db/tenant";
import { databaseClock } from "../../security/database-clock";
import { outboundFetch, type OutboundRules } from "../../security/outbound";
import { wellFormed } from "../../security/well-formed";
import { absoluteUrl } from "./mail-text";
import { encryptPush, PLAIN_BYTES_MAX } from "./push-encryption";
import { isAllowedAddress } from "./push-address";
import { categorySettings, languageOf, NO_POLICY, NO_PREFERENCES } from "./settings";
import { askAgain, deliveryToSend } from "./still-wanted";
import { saidIn } from "./templates";
import { deliveryEnd, type DeliveryRow } from "./store/deliveries";
import { subscriptionDelete, subscriptionFind, type SubscriptionRow } from "./store/push";
import { vapidAuthorization, vapidKeys, type VapidKey } from "./vapid";

const ANSWER_MS = 10_000;
/** How long a push service keeps it for a browser that is away. */
const TTL_SECONDS = 86_400;

export const pushRules: OutboundRules = { trust: "organisation", allowLoopback: cfg.env !== "production" };

/** A push service that did not take a message now, and may later. */
export class PushError extends Error {
  override readonly name = "PushError";
}

/** Resolves when nothing more is to be done for it. @throws PushError, to be tried again */
export async function deliverPush(scope: TenantScope, id: string, rules: OutboundRules = pushRules): Promise<void> {
  const delivery = await deliveryToSend(scope, id, "push");
  if (delivery === undefined) return;
  const asked = await askAgain(scope, delivery);
  if ("refusal" in asked) return deliveryEnd(scope, id, { state: "withheld", reason: asked.refusal });
  const subscription = await subscriptionFind(scope, delivery.destination);
  if (subscription === undefined) return deliveryEnd(scope, id, { state: "failed", reason: "gone" });
  const key = vapidKeys().find(({ id: keyId }) => keyId === subscription.vapidKeyId);
  if (key === undefined) return deliveryEnd(scope, id, { state: "failed", reason: "key_gone" });
  const outcome = await post(subscription, key, delivery, rules);
  // The browser has ended it (RFC 8030 §7.3): nobody listens there any more.
  if (outcome === "gone") await subscriptionDelete(scope, subscription.id);
  await deliveryEnd(scope, id, outcome === "sent" ? { state: "sent" } : { state: "failed", reason: outcome });
}

async function post(
  { endpoint, p256dh, auth }: SubscriptionRow,
  key: VapidKey,
  delivery: DeliveryRow,
  rules: OutboundRules,
): Promise<"sent" | "gone" | "refused" | "address_refused"> {
  const pair = createECDH("prime256v1");
  pair.generateKeys();
  // A private key may begin with zeros, which OpenSSL leaves out.
  const privateKey = Buffer.from(pair.getPrivateKey("hex").padStart(64, "0"), "hex");
  const body = encryptPush(payloadOf(delivery), { p256dh, auth }, { salt: randomBytes(16), privateKey });
  const { urgent } = categorySettings(delivery.policy ?? NO_POLICY, NO_PREFERENCES, delivery.category);
  const headers = {
    "content-type": "application/octet-stream",
    "content-encoding": "aes128gcm",
    "content-length": String(body.length),
    ttl: String(TTL_SECONDS),
    urgency: urgent ? "high" : "normal",
    authorization: await vapidAuthorization(key, { endpoint, subject: cfg.appUrl, nowMs: databaseClock.nowMs() }),
  };
  const signal = AbortSignal.timeout(ANSWER_MS);
  return outboundFetch(rules)(endpoint, { method: "POST", headers, body, signal }).then(
    ({ status }) => outcomeOf(status),
    (cause: unknown) => {
      // By the address alone it is refused for good; where its name leads may be mended.
      if (!isAllowedAddress(endpoint, rules)) return "address_refused";
      throw new PushError("the push service did not take the message", { cause });
    },
  );
}

/** RFC 8030 §5 and §8.4. @throws PushError for what may go well later */
function outcomeOf(status: number): "sent" | "gone" | "refused" {
  if (status >= 200 && status < 300) return "sent";
  if (status === 404 || status === 410) return "gone";
  if (status === 408 || status === 429 || status >= 500) throw new PushError(`the push service answered ${status}`);
  return "refused";
}

/** What the page's service worker gets; a text that is too long ends in an ellipsis. */
export function payloadOf({ notificationId, category, content, policy, preferences }: DeliveryRow): Buffer {
  const { title, body, url } = saidIn(content, languageOf(policy ?? NO_POLICY, preferences ?? NO_PREFERENCES));
  const of = (text: string): Buffer =>
    Buffer.from(
      JSON.stringify({
        ...{ id: notificationId, category, title, body: text },
        ...(url === undefined ? {} : { url: absoluteUrl(url, cfg.appUrl) }),
      }),
    );
  for (let chars = body.length; ; chars = Math.floor(chars * 0.8)) {
    const payload = of(chars === body.length ? body : `${wellFormed(body.slice(0, chars))}…`);
    if (payload.length <= PLAIN_BYTES_MAX) return payload;
    if (chars === 0) return Buffer.from(JSON.stringify({ id: notificationId, category, title, body: "" }));
  }
}
