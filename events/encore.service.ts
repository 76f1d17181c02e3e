import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startEvents } from "./start";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("events", { middlewares: guardOf("events") });

// Encore has no start hook: loading the service is what starts its relay.
startAudit("events", masterKey);
startDatabase(masterKey);
startEvents();
