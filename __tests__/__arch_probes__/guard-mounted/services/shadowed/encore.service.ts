import { Service } from "encore.dev/service";
const guard: unknown[] = [];
export default new Service("shadowed", { middlewares: guard });
