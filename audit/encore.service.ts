import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { assertAuditKey, useAuditKey } from "./key";

const masterKey = secret("MasterKey");

export default new Service("audit", { middlewares: guardOf("audit") });

useAuditKey(masterKey);
requireAtStart("audit", { "secret MasterKey": assertAuditKey });
startDatabase();
