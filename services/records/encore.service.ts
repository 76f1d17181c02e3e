import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { startIdempotency } from "../../idempotency/start";
import { guardOf } from "../../security/guard";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("records", { middlewares: guardOf("records") });

startAudit("records", masterKey);
startDatabase(masterKey);
startConsumers();
startIdempotency(masterKey);
