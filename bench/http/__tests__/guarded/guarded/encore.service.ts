import { Service } from "encore.dev/service";
import { guardOf } from "../security/guard";

export default new Service("guarded", { middlewares: guardOf("guarded") });
