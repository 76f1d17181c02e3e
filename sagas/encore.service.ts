import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { reportSagas, startSagas } from "./start";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("sagas", { middlewares: guardOf("sagas") });

startAudit("sagas", masterKey);
startDatabase(masterKey);
startSagas();
reportSagas();
