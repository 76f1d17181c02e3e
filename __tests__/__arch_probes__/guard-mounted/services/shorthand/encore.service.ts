import { Service } from "encore.dev/service";
import { guard as middlewares } from "../../security/guard";
export default new Service("shorthand", { middlewares });
