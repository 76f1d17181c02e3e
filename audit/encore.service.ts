import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startAudit } from "./key";
import { auditSealedCount } from "./store/seals";

const masterKey = secret("MasterKey");

export default new Service("audit", { middlewares: guardOf("audit") });

startAudit("audit", masterKey);
startDatabase(masterKey, auditSealedCount);
