import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { tenantKeySealedCount } from "./store";
import { useMasterKey } from "./tenant-keys";

const masterKey = secret("MasterKey");

export default new Service("secrets", { middlewares: guardOf("secrets") });

requireAtStart("secrets", { "secret MasterKey": () => useMasterKey(masterKey) });
startAudit("secrets", masterKey);
startDatabase(masterKey, tenantKeySealedCount);
