import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../audit/key";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { startConsumers } from "../events/start";
import { startIdempotency } from "../idempotency/start";
import { guardOf } from "../security/guard";
import { assertEmbedderKey } from "./active-embedder";
import "./store/export";

const masterKey = secret("MasterKey");

export default new Service("vectors", { middlewares: guardOf("vectors") });

requireAtStart("vectors", { "secret EmbeddingsApiKey": assertEmbedderKey });
startAudit("vectors", masterKey);
startDatabase(masterKey);
startConsumers();
startIdempotency(masterKey);
