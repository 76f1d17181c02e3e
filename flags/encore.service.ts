import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startFlags } from "./start";
import "./store";

const masterKey = secret("MasterKey");

export default new Service("flags", { middlewares: guardOf("flags") });

startAudit("flags", masterKey);
startDatabase(masterKey);
startFlags();
