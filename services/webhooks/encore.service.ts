import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { requireAtStart } from "../../config/start-check";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { useMasterKey } from "../../secrets/tenant-keys";
import { guardOf } from "../../security/guard";
import "./store/tenant";

const masterKey = secret("MasterKey");

export default new Service("webhooks", { middlewares: guardOf("webhooks") });

// Its keys are secrets of organisations, also in a process that does not host secrets/.
requireAtStart("webhooks", { "secret MasterKey": () => useMasterKey(masterKey) });
startAudit("webhooks", masterKey);
startDatabase(masterKey);
startConsumers();
