// Errors of the operational endpoints.
import { defineErrors } from "../security/errors";

export const telemetryErrors = defineErrors("telemetry", {
  metrics_forbidden: {
    class: "permission_denied",
    text: "metrics are not served to this caller",
    remedy:
      "Set METRICS_TOKEN and send it as a bearer token, from a network listed in METRICS_ALLOW; behind a proxy, list the proxy in TRUSTED_PROXIES.",
  },
  docs_not_found: { class: "not_found", text: "there is no such page in the documentation", remedy: "Open /docs." },
  docs_not_generated: {
    class: "unavailable",
    text: "the API description is missing in this installation",
    remedy: "Run npm run gen; the file docs/openapi.json belongs to the repository.",
  },
});
