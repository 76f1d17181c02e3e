// The error catalogue of the ai service.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("ai", {
  ai_not_configured: {
    class: "failed_precondition",
    text: "no model provider is configured, so nothing was asked: store a key, PUT /secrets/ai.openai (or ai.anthropic, ai.mistral)",
    remedy:
      "Store a key of yours as a secret, PUT /secrets/ai.openai (or ai.anthropic, ai.mistral, or ai. and another id of GET /ai/providers). For operators: a line openai=KEY in the secret AiProviderKeys. POST /ai/rag/query answers without one.",
  },
  model_not_found: {
    class: "not_found",
    text: "no provider that is configured has this model",
    remedy: "Choose one of GET /ai/providers, or name none.",
  },
  request_refused: {
    class: "invalid_argument",
    text: "the model provider refused the request as it is",
    remedy: "Change it: the prompt may be too long for the model, or a setting be one that it does not know.",
  },
  provider_key_refused: {
    class: "failed_precondition",
    text: "the model provider refused the key",
    remedy:
      "Store a valid one: GET /ai/providers shows whose key each provider is asked by. What it may spend at the provider may be used up.",
  },
  providers_unavailable: {
    class: "unavailable",
    text: "no model provider answered",
    retryable: true,
    remedy:
      "Repeat the request after details.retryAfterSeconds, unless details.retryable is false: then a provider may have been paid, and repeating may pay again. What was perhaps paid is counted in GET /ai/usage.",
  },
  call_given_up: {
    class: "deadline_exceeded",
    text: "the call was given up before a model answered",
    retryable: true,
    remedy:
      "Repeat the request, with less to answer, unless details.retryable is false: then a provider may have been paid, and repeating may pay again. What was perhaps paid is counted in GET /ai/usage.",
  },
  answer_unusable: {
    class: "unavailable",
    text: "the model's answer is not of the form that was asked for",
    remedy: "Allow more tokens, or ask for a simpler form. The call was paid, and the same request pays again.",
  },
  budget_exhausted: {
    class: "resource_exhausted",
    text: "what the call may cost goes beyond a budget: nothing was asked",
    remedy:
      "Ask for less (a shorter prompt, fewer tokens), wait details.retryAfterSeconds for the next period, or raise the budget that details.budget names with PUT /ai/budgets/:id; `installation` is what this installation lets an organisation spend a day by its keys.",
  },
  budget_not_found: {
    class: "not_found",
    text: "the organisation has no such budget",
    remedy: "List them with GET /ai/budgets.",
  },
  too_many_budgets: {
    class: "failed_precondition",
    text: "the organisation has as many budgets as one can have",
    remedy: "Remove one, with DELETE /ai/budgets/:id.",
  },
});
