// What the uses of a resource mean, kind by kind, and which uses are refused.
import type { Diagnostics } from "../errors";
import { spotOf } from "../source/modules";
import type { TopicResource } from "../resources/resource";
import type { Evaluator } from "../types/evaluator";
import type { Use } from "./find";
import { permittedOperations } from "./operations";

export interface UseContext {
  evaluator: Evaluator;
  diagnostics: Diagnostics;
}

const TOPIC_REMEDY =
  "A topic can be published to, passed to new Subscription, or handed on as `topic.ref<Publisher>()`.";

function refPublishes(use: Use, ctx: UseContext): boolean {
  if (use.shape.kind !== "method") return false;
  const [argument] = use.shape.node.typeArguments ?? [];
  if (!argument) {
    ctx.diagnostics.report("expected a type argument in call to Topic.ref", spotOf(use.shape.node), {
      remedy: "Write `topic.ref<Publisher>()`.",
    });
    return false;
  }
  const permissions = { what: "topic", types: { Publisher: "publish" }, methods: { publish: "publish" } };
  const found = permittedOperations(
    ctx.evaluator.typeIn(argument, use.module),
    argument,
    permissions,
    ctx.evaluator,
    ctx.diagnostics,
  );
  return found?.includes("publish") ?? false;
}

/** Whether the use publishes. */
export function topicUse(use: Use, _topic: TopicResource, ctx: UseContext): boolean {
  const { shape } = use;
  if (shape.kind === "method") {
    if (shape.name.text === "ref") return refPublishes(use, ctx);
    return shape.name.text === "publish";
  }
  if (shape.kind !== "constructorArgument")
    ctx.diagnostics.report("invalid topic usage", spotOf(shape.node), { remedy: TOPIC_REMEDY });
  return false;
}

const METRIC_METHODS = new Set(["increment", "set", "ref", "with"]);

/** Whether the use counts as using the metric. */
export function metricUse({ shape }: Use, ctx: UseContext): boolean {
  if (shape.kind === "method") return METRIC_METHODS.has(shape.name.text);
  if (shape.kind !== "constructorArgument")
    ctx.diagnostics.report("invalid metric usage", spotOf(shape.node), { remedy: "Call its methods only." });
  return false;
}

/** The endpoint called, "" for all of them (`ref()`), undefined when it is no call. */
export function clientUse({ shape }: Use, ctx: UseContext): string | undefined {
  if (shape.kind === "method") return shape.name.text === "ref" ? "" : shape.name.text;
  if (shape.kind !== "field") {
    ctx.diagnostics.report("invalid service client usage", spotOf(shape.node), {
      remedy: "Call its functions, or pass on `client.ref()`.",
    });
  } else if (shape.name.text !== "Client") {
    ctx.diagnostics.report("invalid service client field access", spotOf(shape.node), {
      remedy: "Call the function where it is named: the parser records who calls whom.",
    });
  }
  return undefined;
}
