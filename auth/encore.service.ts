import { Service } from "encore.dev/service";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guard } from "../security/guard";
import { keyRing } from "./tokens";

export default new Service("auth", { middlewares: guard });

requireAtStart("auth", { "secret MasterKey": () => keyRing.assertUsable() });
startDatabase();
