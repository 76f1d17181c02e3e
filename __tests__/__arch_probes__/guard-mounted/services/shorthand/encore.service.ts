import { Service } from "encore.dev/service";
import { guardOf as middlewares } from "../../security/guard";
export default new Service("shorthand", { middlewares });
