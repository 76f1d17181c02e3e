// The operations console: what the platform's staff sees and does of the whole installation, in a browser.
import { Service } from "encore.dev/service";
import { guardOf } from "../security/guard";
import { startSignals } from "./signals";

export default new Service("console", { middlewares: guardOf("console") });

startSignals();
