// Sends what was gathered as one mail. First it is closed, so that what comes from then on is gathered for the next one; then it is
// sent, under its own id, as often as that takes: an attempt after a kill sends the same mail.
import { cfg } from "../../config";
import { withTenant, type TenantScope } from "../../db/tenant";
import { sendMail } from "../../mail/mailer";
import { MailError } from "../../mail/transport";
import { enqueue } from "../../queues/enqueue";
import { contactsOf } from "./contacts";
import { quietEndAt, wanted } from "./decision";
import { unsubscribeUrl } from "./deliver-email";
import { destinationsOf } from "./destinations";
import { digestJob } from "./job-definitions";
import { digestMail } from "./mail-text";
import { categorySettings, languageOf, NO_POLICY, NO_PREFERENCES, type Policy, type Preferences } from "./settings";
import {
  digestClose,
  digestCount,
  digestDefer,
  digestEnd,
  digestGathered,
  digestLock,
  digestReopen,
} from "./store/digests";
import { settingsFind } from "./store/settings";
import { saidIn } from "./templates";
import { createUnsubscribeToken } from "./unsubscribe-token";

/** More are counted in the mail, and found in the app. */
const LISTED_MAX = 50;

export interface DigestOf {
  digestId: string;
  userId: string;
  category: string;
  destination: string;
  /** Quiet hours have held it, and that is over: where all of a day is quiet but for a minute, they would hold it for ever. */
  isDue?: boolean | undefined;
}

/** Resolves when nothing more is to be done for it. @throws MailError, to be tried again */
export async function deliverDigest(scope: TenantScope, digest: DigestOf): Promise<void> {
  if (!(await closeWhenDue(scope, digest))) return;
  const { digestId, userId, category, destination } = digest;
  const rows = await digestGathered(scope, digestId, LISTED_MAX);
  if (rows.length === 0) return;
  const { policy, preferences } = await settingsOf(scope, userId);
  const contact = (await contactsOf(scope, [userId])).get(userId);
  if (contact === undefined) return digestEnd(scope, digestId, { state: "withheld", reason: "no_member" });
  const settings = categorySettings(policy, preferences, category);
  const decided = wanted({ preferences, destinations: destinationsOf(contact, []) }, settings, "email");
  if (decided.outcome === "withheld") return digestEnd(scope, digestId, { state: "withheld", reason: decided.reason });
  if (decided.outcome !== "deliver" || !decided.to.includes(destination))
    return digestEnd(scope, digestId, { state: "withheld", reason: "no_destination" });
  const language = languageOf(policy, preferences);
  const token = createUnsubscribeToken({ tenantId: scope.tenantId, userId, category });
  const link = settings.locked ? undefined : unsubscribeUrl(token);
  const written = digestMail(
    rows.map(({ content }) => saidIn(content, language)),
    {
      ...{ organisation: contact.organisation, appUrl: cfg.appUrl, unsubscribeUrl: link },
      ...{ language, count: await digestCount(scope, digestId) },
    },
  );
  try {
    const unsubscribe = link === undefined ? {} : { unsubscribeUrl: link };
    await sendMail({ id: digestId, to: destination, ...written, ...unsubscribe });
  } catch (error) {
    if (!(error instanceof MailError && error.isFinal)) throw error;
    return digestEnd(scope, digestId, { state: "failed", reason: "refused" });
  }
  await digestEnd(scope, digestId, { state: "sent" });
}

async function settingsOf(scope: TenantScope, userId: string): Promise<{ policy: Policy; preferences: Preferences }> {
  const { policy, preferences } = await settingsFind(scope, userId);
  return { policy: policy ?? NO_POLICY, preferences: preferences ?? NO_PREFERENCES };
}

/** False when quiet hours hold it on: the job comes again when they end. */
function closeWhenDue(scope: TenantScope, digest: DigestOf): Promise<boolean> {
  const { tenantId } = scope;
  const { digestId, isDue = false } = digest;
  return withTenant(scope, async (tx) => {
    const row = await digestLock(tx, tenantId, digestId);
    if (row === undefined) {
      // Closed by an attempt before this one, or given up after the last.
      await digestReopen(tx, tenantId, digestId);
      return true;
    }
    const policy = row.policy ?? NO_POLICY;
    const preferences = row.preferences ?? NO_PREFERENCES;
    const until = isDue ? undefined : quietEndAt({ policy, preferences, nowMs: row.nowMs });
    if (until === undefined || categorySettings(policy, preferences, row.category).urgent) {
      await digestClose(tx, tenantId, digestId);
      return true;
    }
    await digestDefer(tx, tenantId, digestId, new Date(until));
    await enqueue(tx, digestJob, { ...digest, isDue: true }, { delayMs: until - row.nowMs });
    return false;
  });
}
