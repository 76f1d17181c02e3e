import * as encore from "encore.dev/service";
import { guardOf } from "../../security/guard";
export default new encore.Service("namespace", { middlewares: guardOf("namespace") });
