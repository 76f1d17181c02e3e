import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
const config = {};
export default new Service("spread-config", { middlewares: guardOf("spread-config"), ...config });
