import { Service } from "encore.dev/service";
import { guardOf } from "./guard";
export default new Service("impostor", { middlewares: guardOf("impostor") });
