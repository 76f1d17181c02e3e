// The operations console: what the platform's staff sees and does of the whole installation, in a browser.
import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startSignals } from "./signals";

const masterKey = secret("MasterKey");

export default new Service("console", { middlewares: guardOf("console") });

startAudit("console", masterKey);
startDatabase(masterKey);
startSignals();
