import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";

import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { announceMail } from "./mailer";

const masterKey = secret("MasterKey");

export default new Service("mail", { middlewares: guardOf("mail") });

startDatabase(masterKey);
announceMail();
