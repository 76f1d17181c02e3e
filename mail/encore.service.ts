import { Service } from "encore.dev/service";

import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { announceMail } from "./mailer";

export default new Service("mail", { middlewares: guardOf("mail") });

startDatabase();
announceMail();
