import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
export default new Service("wrapped", { middlewares: guardOf("wrapped").slice(1) });
