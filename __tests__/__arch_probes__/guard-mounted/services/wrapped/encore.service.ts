import { Service } from "encore.dev/service";
import { guard } from "../../security/guard";
export default new Service("wrapped", { middlewares: guard.slice(1) });
