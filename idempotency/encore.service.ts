import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { requestSealedCount } from "./store";

const masterKey = secret("MasterKey");

export default new Service("idempotency", { middlewares: guardOf("idempotency") });

startDatabase(masterKey, requestSealedCount);
