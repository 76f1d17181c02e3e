import * as encore from "encore.dev/service";
import { guard } from "../../security/guard";
export default new encore.Service("namespace", { middlewares: guard });
