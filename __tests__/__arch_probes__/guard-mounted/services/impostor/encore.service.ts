import { Service } from "encore.dev/service";
import { guard } from "./guard";
export default new Service("impostor", { middlewares: guard });
