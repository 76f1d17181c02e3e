import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { guardOf } from "../../security/guard";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("assets", { middlewares: guardOf("assets") });

startAudit("assets", masterKey);
startDatabase(masterKey);
startConsumers();
