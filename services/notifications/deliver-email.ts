// Sends one delivery as a mail. An attempt after a kill sends the same mail: one Message-ID (mail/), by which receivers know a repetition.
import { cfg } from "../../config";
import type { TenantScope } from "../../db/tenant";
import { sendMail } from "../../mail/mailer";
import { MailError } from "../../mail/transport";
import type { Contact } from "./contacts";
import { absoluteUrl, notificationMail } from "./mail-text";
import { categorySettings, languageOf, NO_POLICY, NO_PREFERENCES } from "./settings";
import { askAgain, deliveryToSend } from "./still-wanted";
import { deliveryEnd, type DeliveryRow } from "./store/deliveries";
import { saidIn } from "./templates";
import { createUnsubscribeToken } from "./unsubscribe-token";

/** Resolves when nothing more is to be done for it. @throws MailError, to be tried again */
export async function deliverEmail(scope: TenantScope, id: string): Promise<void> {
  const delivery = await deliveryToSend(scope, id, "email");
  if (delivery === undefined) return;
  const asked = await askAgain(scope, delivery);
  if ("refusal" in asked) return deliveryEnd(scope, id, { state: "withheld", reason: asked.refusal });
  try {
    await sendMail({ id, to: delivery.destination, ...mailOf(scope, delivery, asked.contact) });
  } catch (error) {
    if (!(error instanceof MailError && error.isFinal)) throw error;
    return deliveryEnd(scope, id, { state: "failed", reason: "refused" });
  }
  await deliveryEnd(scope, id, { state: "sent" });
}

export const unsubscribeUrl = (token: string): string =>
  absoluteUrl(`/notifications/unsubscribe?token=${token}`, cfg.appUrl);

function mailOf({ tenantId }: TenantScope, delivery: DeliveryRow, { organisation }: Contact) {
  const { userId, category, content } = delivery;
  const policy = delivery.policy ?? NO_POLICY;
  const preferences = delivery.preferences ?? NO_PREFERENCES;
  // What people cannot switch off has no link that would say so.
  const { locked } = categorySettings(policy, preferences, category);
  const link = locked ? undefined : unsubscribeUrl(createUnsubscribeToken({ tenantId, userId, category }));
  const said = saidIn(content, languageOf(policy, preferences));
  const written = notificationMail(said, {
    ...{ organisation, appUrl: cfg.appUrl, unsubscribeUrl: link },
    language: said.language ?? "en",
  });
  return { ...written, ...(link === undefined ? {} : { unsubscribeUrl: link }) };
}
