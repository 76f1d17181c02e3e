// A new password by a mailed link. Asking answers the same, in the same time and after the same work, whether or not
// anybody is registered with the address: the mail is sent by a job, and for an unknown address there is a job too, which
// finds nobody. (OWASP Forgot Password Cheat Sheet; ASVS 5.0 V6.3.8, V6.4.3.)
import { defineAction } from "../audit/action";
import { newId } from "../db/ids";
import { withSystem } from "../db/tenant";
import { passwordReset } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { requireMail } from "../mail/mailer";
import { onBehalfOf } from "../security/provenance";
import { handOver } from "./account-handover";
import { recordOfAccount } from "./account-log";
import { countMail, forgetAttempts } from "./attempts";
import { endEverySignIn } from "./credentials";
import { requireEmail } from "./email";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { placeOf } from "./known-places";
import { hashOneTimeToken } from "./one-time-token";
import { screenPassword, wordsAbout } from "./password-screen";
import { hashPassword } from "./passwords";
import {
  accountFindByEmail,
  accountForgetPlaces,
  accountLock,
  accountNotePlace,
  accountResetPassword,
} from "./store/accounts";
import { oneTimeTokenFind, oneTimeTokenTake } from "./store/one-time-tokens";

/** @throws APIError invalid_request, rate_limited, mail_not_configured; none of them tells whether the address is known. */
export async function forgotPassword(address: string): Promise<void> {
  requireMail();
  const email = requireEmail(address);
  await countMail(email, "anybody");
  const account = await accountFindByEmail(email);
  const accountId = account?.id ?? newId();
  await withSystem("forgot-password", (tx) => requestMail(tx, { kind: "reset-password", accountId }));
}

/** `claimed`: nobody had shown before that the address is theirs. */
const reset = defineAction("auth.password.reset", { claimed: "plain" });

/**
 * Sets the password and ends every sign-in of the account; it signs nobody in. The token shows that its bearer reads the
 * address's mails: if nobody had shown that before, the account is handed over (account-handover.ts). `from`, the caller's address,
 * is a place that the account knows from now on: whatever strangers try, its owner signs in there with the new password.
 * @throws APIError link_invalid, weak_password, password_unchecked (the token stays usable).
 */
export async function resetPassword(input: { token: string; password: string }, from: string): Promise<void> {
  const hash = hashOneTimeToken(input.token);
  // Before the dear hashing: an invented token costs one read.
  const found = await oneTimeTokenFind("reset-password", hash);
  if (found === undefined) throw errors.link_invalid();
  await screenPassword(input.password, await wordsAbout(found.accountId, found.email));
  const passwordHash = await hashPassword(input.password);
  await onBehalfOf(`user:${found.accountId}`, () =>
    withSystem("reset-password", async (tx) => {
      await accountLock(tx, found.accountId);
      const taken = await oneTimeTokenTake(tx, "reset-password", hash);
      if (taken === undefined) throw errors.link_invalid();
      const { accountId: id, email } = taken;
      const changed = await accountResetPassword(tx, { id, email, passwordHash });
      if (changed === undefined) throw errors.link_invalid({ internal: "another address" });
      const claimed = !changed.wasVerified;
      await (claimed ? handOver : endEverySignIn)(tx, id, "password_reset");
      // Somebody else may have been at those of before.
      accountForgetPlaces(tx, id);
      const place = placeOf(id, from);
      if (place !== undefined) accountNotePlace(tx, id, place);
      await requestMail(tx, { kind: "password-changed", accountId: id });
      const about = { aggregateType: "user", aggregateId: id, tenantId: null };
      await emit(tx, passwordReset, { userId: id, claimed }, about);
      await recordOfAccount(tx, { accountId: id, tenantId: null }, reset, { claimed });
      tx.afterCommit(() => void forgetAttempts(email, from));
    }),
  );
}
