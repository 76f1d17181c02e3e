// Sign-ins of an account ended by who runs the installation (scripts/admin.ts), as when somebody reports a stolen laptop (ASVS
// 5.0 7.4.5). Refresh tokens stop at once, access tokens within two seconds on every replica; the installation's log says so.
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import { withSystem } from "../../db/tenant";
import { spellEmail } from "../../mail/email";
import { onBehalfOf } from "../../security/provenance";
import { endSessions } from "../session-end";
import { accountFindIdByEmail } from "../store/accounts";

const COMMAND = "system:command";

const ended = defineAction("operator.sessions.ended", { sessions: "plain" });

/** Resolves with how many sessions of the account it ended; undefined when nobody has this e-mail. */
export async function endSessionsByCommand(text: string): Promise<number | undefined> {
  const email = spellEmail(text);
  if (email === undefined) return undefined;
  return onBehalfOf(COMMAND, () =>
    withSystem("end-sessions", async (tx) => {
      const accountId = await accountFindIdByEmail(tx, email);
      if (accountId === undefined) return undefined;
      const ids = await endSessions(tx, { accountId, which: "all", signInOf: null, reason: "administrator" });
      const target = { type: "account", id: accountId };
      await recordForPlatform(tx, ended, { target, fields: { sessions: ids.length } });
      return ids.length;
    }),
  );
}
