import { Service } from "encore.dev/service";
import { guard } from "../../security/guard";
import { more } from "./more";
export default new Service("behind", { middlewares: [...more, ...guard] });
