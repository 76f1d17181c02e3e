import { Service } from "encore.dev/service";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { startQueues } from "./start";

export default new Service("queues", { middlewares: guardOf("queues") });

// Encore has no start hook: loading the service is what starts its workers.
startDatabase();
startQueues();
