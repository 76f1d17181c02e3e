// The link by which who sits at the machine opens the console signed in, in development: made by command (`operator link`, which
// `npm start` runs), good once, for ten minutes, from this machine alone. It speaks for an operator of its own whose password
// and app nobody knows, so that there is no other way in as this one. In production it can be neither made nor used.
import { randomBytes } from "node:crypto";
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import { cfg } from "../../config";
import { newId } from "../../db/ids";
import { withSystem } from "../../db/tenant";
import { seal } from "../../security/envelope";
import { nearDoor } from "../../security/near-door";
import { operatorPermissions } from "../../security/permissions";
import { onBehalfOf } from "../../security/provenance";
import { errors } from "../errors";
import { operatorTotpKey } from "../factors/keys";
import { SECRET_BYTES } from "../factors/totp";
import { hashPassword } from "../passwords";
import { operatorEnsureActive, operatorLinkReplace, operatorLinkUse } from "../store/operator-links";
import { operatorFindByEmail } from "../store/operators";
import { DEVELOPMENT_EMAIL } from "./development-operator";
import { keepOperatorSession, openOperatorSession, type OperatorSignedIn } from "./sign-in";
import { createToken, hashToken, isToken } from "./token";

const LINK_SECONDS = 600;
const COMMAND = "system:command";

const made = defineAction("operator.link.made", {});

/** One that names no hop is not known to be. */
export const isFromThisMachine = nearDoor({ allow: ["127.0.0.0/8", "::1/128"], isOpenToUnnamed: false });

interface Where {
  isProduction?: boolean;
  /** A database of its own server may be a production's: whoever runs the command says that it is not. */
  isDatabaseElsewhere?: boolean;
}

/** For the fragment of the console's address. @throws Error in production, and for a database that may be one's. */
export async function createDevelopmentLink({
  isProduction = cfg.env === "production",
  isDatabaseElsewhere = false,
}: Where = {}): Promise<string> {
  if (isProduction) throw new Error("in production operators sign in with password and code: `operator add`");
  if (isDatabaseElsewhere)
    throw new Error(
      "this database may be a production's: where it is for development alone, `operator link development`",
    );
  const token = createToken("link");
  const known = await operatorFindByEmail(DEVELOPMENT_EMAIL);
  const kept = known?.isActive === true ? known.passwordHash : null;
  const passwordHash = kept ?? (await hashPassword(createToken("session")));
  await onBehalfOf(COMMAND, () =>
    withSystem("operator-command", async (tx) => {
      // What is sealed is bound to the id.
      const id = known?.id ?? newId();
      const totpSealed = seal(operatorTotpKey(), randomBytes(SECRET_BYTES), id);
      const operator = { id, email: DEVELOPMENT_EMAIL, permissions: operatorPermissions, passwordHash, totpSealed };
      const operatorId = await operatorEnsureActive(tx, operator);
      await operatorLinkReplace(tx, { operatorId, hash: hashToken(token), lifetimeSeconds: LINK_SECONDS });
      await recordForPlatform(tx, made, { target: { type: "operator", id: operatorId }, fields: {} });
    }),
  );
  return token;
}

/** @throws APIError operator_link_invalid: in production, from elsewhere, or when it was used or is over. */
export async function signInByLink(
  link: string,
  isNear: boolean,
  isProduction = cfg.env === "production",
): Promise<OperatorSignedIn> {
  if (isProduction || !isNear || !isToken("link", link)) throw errors.operator_link_invalid();
  const session = await withSystem("operator-sign-in", async (tx) => {
    const operatorId = await operatorLinkUse(tx, hashToken(link));
    return operatorId === undefined ? undefined : openOperatorSession(tx, operatorId, true);
  });
  if (session === undefined) throw errors.operator_link_invalid();
  return keepOperatorSession(session);
}
