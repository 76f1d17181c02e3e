import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { startIdempotency } from "../../idempotency/start";
import { startSagas } from "../../sagas/start";
import { registerSaga } from "../../sagas/worker";
import { guardOf } from "../../security/guard";
import { orderSaga } from "./order-saga";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("records", { middlewares: guardOf("records") });

startAudit("records", masterKey);
startDatabase(masterKey);
startConsumers();
startIdempotency(masterKey);
registerSaga(orderSaga);
startSagas();
