import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
export default new Service("first-only", { middlewares: [guardOf("first-only")[0]] });
