import { Service } from "encore.dev/service";
import { guardOf } from "../../security/guard";
import { more } from "./more";
export default new Service("spread", { middlewares: [...guardOf("spread"), ...more] });
