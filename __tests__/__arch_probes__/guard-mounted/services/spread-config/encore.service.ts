import { Service } from "encore.dev/service";
import { guard } from "../../security/guard";
const config = {};
export default new Service("spread-config", { middlewares: guard, ...config });
