import { Service } from "encore.dev/service";
import { requireAtStart } from "../config/start-check";
import { startDatabase } from "../db/start";
import { guard } from "../security/guard";
import { assertEmbedderKey } from "./active-embedder";

export default new Service("vectors", { middlewares: guard });

requireAtStart("vectors", { "secret EmbeddingsApiKey": assertEmbedderKey });
startDatabase();
