// A browser that lets us wake it: what it says of itself, checked before it is kept. Its endpoint is an address that somebody gives
// us to call: only public ones, over https, judged again by what they resolve to when they are called (security/outbound.ts).
import { z } from "zod";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { parseInput } from "../../security/input";
import type { Principal } from "../../security/principal";
import { pushRules } from "./deliver-push";
import { isPublicPoint } from "./push-encryption";
import { isAllowedAddress } from "./push-address";
import { SUBSCRIPTIONS_MAX } from "./limits";
import { subscriptionPut } from "./store/push";
import { vapidKeys } from "./vapid";

const base64Url = z
  .string()
  .max(200)
  .regex(/^[\w-]+={0,2}$/, "is no base64url");

export const subscriptionInput = z.object({
  endpoint: z
    .string()
    .max(2_000)
    .refine((address) => isAllowedAddress(address, pushRules), "is no address of a push service"),
  keys: z.object({
    p256dh: base64Url.refine(isPublicPoint, "is no public key of P-256"),
    auth: base64Url.refine((text) => Buffer.from(text, "base64url").length === 16, "has not 16 bytes"),
  }),
  /** Of ours, by which it was made; the present one if not given. */
  applicationServerKey: base64Url.optional(),
});

/** Resolves with the subscription's id. @throws APIError invalid_request */
export async function subscribePush(principal: Principal, given: unknown): Promise<string> {
  const { endpoint, keys, applicationServerKey } = parseInput(subscriptionInput, given);
  const own = vapidKeys();
  const key = own.find(({ publicKey }) => publicKey === (applicationServerKey ?? own[0]?.publicKey));
  const { id: vapidKeyId } = parseInput(z.object({ id: z.string("was not made with a key of ours") }), { id: key?.id });
  const { tenantId, subjectId: userId } = principal;
  const [p256dh, auth] = [keys.p256dh, keys.auth].map((text) => Buffer.from(text, "base64url")) as [Buffer, Buffer];
  return withTenant(principal, (tx) =>
    subscriptionPut(tx, tenantId, { id: newId(), userId, endpoint, p256dh, auth, vapidKeyId }, SUBSCRIPTIONS_MAX),
  );
}
