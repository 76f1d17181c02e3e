import { Service as Declaration } from "encore.dev/service";
import { guardOf as front } from "../../security/guard";
export default new Declaration("aliased", { middlewares: front("aliased") });
