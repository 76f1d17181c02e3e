import { Service } from "encore.dev/service";
import { guard } from "../../security/guard";
export default new Service("first-only", { middlewares: [guard[0]] });
