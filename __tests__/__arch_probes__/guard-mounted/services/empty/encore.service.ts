import { Service as Declaration } from "encore.dev/service";
export default new Declaration("empty", { middlewares: [] });
