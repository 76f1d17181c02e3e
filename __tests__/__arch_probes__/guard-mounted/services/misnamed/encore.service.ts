import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
export default new Service("misnamed", { middlewares: guardOf("mounted") });
