import { Service } from "encore.dev/service";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startEvents } from "./start";

export default new Service("events", { middlewares: guardOf("events") });

// Encore has no start hook: loading the service is what starts its relay.
startDatabase();
startEvents();
