import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { startIdempotency } from "../../idempotency/start";
import { guardOf } from "../../security/guard";
// What waits in queues is done where this service is.
import "./jobs";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("notifications", { middlewares: guardOf("notifications") });

startAudit("notifications", masterKey);
startDatabase(masterKey);
startConsumers();
startIdempotency(masterKey);
