// For webauthn.ts, which loads it when it is used: that would hold a request, and all beside it, for half a second.
import "@simplewebauthn/server";
import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { startConsumers } from "../events/start";
import { startFlags } from "../flags/start";
import { startIdempotency } from "../idempotency/start";
import { guardOf } from "../security/guard";
import { assertClientSecrets } from "./oidc/keys";
import { readCommonPasswords } from "./password-screen";
import { sealedCount } from "./store/sealed";
import { keyRing } from "./tokens";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("auth", { middlewares: guardOf("auth") });

requireAtStart("auth", {
  "secret MasterKey": () => keyRing.assertUsable(),
  "secret OidcClientSecrets": () => assertClientSecrets(),
});
startAudit("auth", masterKey);
startDatabase(masterKey, sealedCount);
void readCommonPasswords();
startIdempotency(masterKey);
startFlags();
startConsumers();
