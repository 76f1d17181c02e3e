import { Service } from "encore.dev/service";
import { startDatabase } from "../db/start";
import { guard } from "../security/guard";

export default new Service("queues", { middlewares: guard });

startDatabase();
