import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
const config = { middlewares: guardOf("configured") };
export default new Service("configured", config);
