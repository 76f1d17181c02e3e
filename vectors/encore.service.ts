import { Service } from "encore.dev/service";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guardOf } from "../security/guard";
import { assertEmbedderKey } from "./active-embedder";

export default new Service("vectors", { middlewares: guardOf("vectors") });

requireAtStart("vectors", { "secret EmbeddingsApiKey": assertEmbedderKey });
startDatabase();
