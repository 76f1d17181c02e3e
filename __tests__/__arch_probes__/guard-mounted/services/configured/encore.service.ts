import { Service } from "encore.dev/service";
import { guard } from "../../security/guard";
const config = { middlewares: guard };
export default new Service("configured", config);
