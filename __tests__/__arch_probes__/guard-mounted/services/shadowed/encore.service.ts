import { Service } from "encore.dev/service";
const guardOf = (_service: string): unknown[] => [];
export default new Service("shadowed", { middlewares: guardOf("shadowed") });
