import { secret } from "encore.dev/config";
import { Service } from "encore.dev/service";
import { startAudit } from "../../audit/key";
import { requireAtStart } from "../../config/start-check";
import { startDatabase } from "../../db/start";
import { startConsumers } from "../../events/start";
import { guardOf } from "../../security/guard";
import { declareRefusalForm } from "../../security/refusal-forms";
import { observeGauge } from "../../telemetry/metrics";
import { openAiRefusal } from "./openai-refusals";
import { restingProviders } from "./providers/breakers";
import { assertProviders } from "./providers/registry";
import "./store/tenant";

const masterKey = secret("MasterKey");

export default new Service("ai", { middlewares: guardOf("ai") });

requireAtStart("ai", { AI_PROVIDERS: assertProviders });
declareRefusalForm("openai", openAiRefusal);
startAudit("ai", masterKey);
startDatabase(masterKey);
startConsumers();
observeGauge("providers_resting", () =>
  [...restingProviders()].map(([provider, value]) => ({ value, labels: { provider } })),
);
