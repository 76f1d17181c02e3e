// Showing that an account's address is one's own. Until then the account works, but no invitation to its address can be
// accepted with it and no other identity joins it: anybody can register anybody's address.
import { defineAction } from "../audit/action";
import { withSystem } from "../db/tenant";
import { emailVerified } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { requireMail } from "../mail/mailer";
import type { Caller } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { recordOfAccount } from "./account-log";
import { countMail } from "./attempts";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { hashOneTimeToken } from "./one-time-token";
import { accountFind, accountLock, accountSetVerified } from "./store/accounts";
import { oneTimeTokenFind, oneTimeTokenTake } from "./store/one-time-tokens";

const verified = defineAction("auth.email.verified", {});

/** Uses up the token of the mail. It signs nobody in: whoever reads the mail need not be who chose the password. @throws APIError link_invalid. */
export async function verifyEmail(token: string): Promise<void> {
  const hash = hashOneTimeToken(token);
  const found = await oneTimeTokenFind("verify-email", hash);
  if (found === undefined) throw errors.link_invalid();
  await onBehalfOf(`user:${found.accountId}`, () =>
    withSystem("verify-email", async (tx) => {
      await accountLock(tx, found.accountId);
      const taken = await oneTimeTokenTake(tx, "verify-email", hash);
      if (taken === undefined) throw errors.link_invalid();
      const { accountId: id, email } = taken;
      if (!(await accountSetVerified(tx, { id, email }))) throw errors.link_invalid({ internal: "another address" });
      await emit(tx, emailVerified, { userId: id }, { aggregateType: "user", aggregateId: id, tenantId: null });
      await recordOfAccount(tx, { accountId: id, tenantId: null }, verified, {});
    }),
  );
}

/** Sends the mail again, if the caller's address is not verified. @throws APIError rate_limited, mail_not_configured. */
export async function sendVerification(caller: Caller): Promise<void> {
  requireMail();
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  if (account.isVerified) return;
  await countMail(account.email, "owner");
  await withSystem("send-verification", (tx) => requestMail(tx, { kind: "verify-email", accountId: caller.subjectId }));
}
