// Who is on the platform's staff: added, reset and removed by command (scripts/admin.ts), never by a request, so that no
// session however stolen makes another operator. What a command did stands in the installation's own log.
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import { newId } from "../../db/ids";
import { withSystem } from "../../db/tenant";
import { spellEmail } from "../../mail/email";
import { operatorPermissions } from "../../security/permissions";
import { onBehalfOf } from "../../security/provenance";
import { requireEmail } from "../email";
import { errors } from "../errors";
import {
  operatorDelete,
  operatorInsert,
  operatorList,
  operatorReset,
  operatorSessionDeleteAll,
  type ListedOperator,
} from "../store/operators";
import { refuseDevelopmentEmail } from "./development-operator";
import { createToken, hashToken } from "./token";

/** Beyond it the command says no: staff are few, and a long list is not looked through. */
export const OPERATORS_MAX = 500;
const SETUP_SECONDS = 3_600;
const COMMAND = "system:command";

const added = defineAction("operator.account.added", { email: "personal", permissions: "plain" });
const reset = defineAction("operator.account.reset", { email: "personal" });
const removed = defineAction("operator.account.removed", { email: "personal" });

export interface OperatorSetup {
  id: string;
  email: string;
  /** For POST /operator/setup, once, within an hour. */
  setupToken: string;
}

/** @throws APIError invalid_request, operator_exists, too_many_operators. */
export async function addOperator(
  text: string,
  permissions: readonly string[] = operatorPermissions,
): Promise<OperatorSetup> {
  const email = requireEmail(text);
  refuseDevelopmentEmail(email);
  const held = operatorPermissions.filter((permission) => permissions.includes(permission));
  const id = newId();
  const setupToken = createToken("setup");
  await onBehalfOf(COMMAND, () =>
    withSystem("operator-command", async (tx) => {
      const others = await operatorList(tx, OPERATORS_MAX);
      const operator = { id, email, permissions: held, setupHash: hashToken(setupToken), setupSeconds: SETUP_SECONDS };
      if (others.length >= OPERATORS_MAX) throw errors.too_many_operators();
      if (!(await operatorInsert(tx, operator))) throw errors.operator_exists();
      const target = { type: "operator", id };
      await recordForPlatform(tx, added, { target, fields: { email, permissions: held.join(" ") } });
    }),
  );
  return { id, email, setupToken };
}

/** Password and authenticator app are gone and sessions over; the operator sets up anew. @throws APIError operator_not_found. */
export async function resetOperator(text: string): Promise<OperatorSetup> {
  const email = spellEmail(text) ?? text;
  refuseDevelopmentEmail(email);
  const setupToken = createToken("setup");
  const id = await onBehalfOf(COMMAND, () =>
    withSystem("operator-command", async (tx) => {
      const setup = { email, setupHash: hashToken(setupToken), setupSeconds: SETUP_SECONDS };
      const found = await operatorReset(tx, setup);
      if (found === undefined) throw errors.operator_not_found();
      await operatorSessionDeleteAll(tx, found);
      await recordForPlatform(tx, reset, { target: { type: "operator", id: found }, fields: { email } });
      return found;
    }),
  );
  return { id, email, setupToken };
}

/** With their sessions, which are refused from the next request on. @throws APIError operator_not_found. */
export async function removeOperator(text: string): Promise<void> {
  const email = spellEmail(text) ?? text;
  await onBehalfOf(COMMAND, () =>
    withSystem("operator-command", async (tx) => {
      const id = await operatorDelete(tx, email);
      if (id === undefined) throw errors.operator_not_found();
      await recordForPlatform(tx, removed, { target: { type: "operator", id }, fields: { email } });
    }),
  );
}

export const listOperators = (): Promise<ListedOperator[]> =>
  withSystem("operator-command", (tx) => operatorList(tx, OPERATORS_MAX));
