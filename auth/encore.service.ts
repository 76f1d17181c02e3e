import { Service } from "encore.dev/service";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { keyRing } from "./tokens";

export default new Service("auth", { middlewares: guardOf("auth") });

requireAtStart("auth", { "secret MasterKey": () => keyRing.assertUsable() });
startDatabase();
