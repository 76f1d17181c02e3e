// `new Subscription(topic, "name", { handler, … })` with the defaults of 8.1.
import { duration } from "../source/durations";
import { expression, fields, refuseAt, unsigned } from "../source/literals";
import { ts, type TypeScript } from "../typescript";
import type { NamedType } from "../types/type";
import { eachNamedClass, required } from "./named-class";
import type { Pass, ResourceFinder } from "./pass";

const SECOND_NS = 1e9;
const DEFAULTS = {
  ackDeadline: 30 * SECOND_NS,
  retention: 7 * 24 * 3600 * SECOND_NS,
  minBackoff: 10 * SECOND_NS,
  maxBackoff: 600 * SECOND_NS,
  retries: 100,
};

const config = fields(
  {
    handler: expression,
    maxConcurrency: unsigned(32),
    ackDeadline: duration,
    messageRetention: duration,
    retryPolicy: fields({ minBackoff: duration, maxBackoff: duration, maxRetries: unsigned(32) }),
  },
  ["handler"],
);

function topicOf(
  node: TypeScript.Expression | undefined,
  pass: Pass,
): { topic: NamedType; topicNode: TypeScript.Node } | undefined {
  if (!node) return undefined;
  if (ts.isSpreadElement(node)) throw refuseAt(node, "cannot use ... for PubSub topic reference");
  const topic = pass.evaluator.objectOf(node, pass.module);
  if (!topic) throw refuseAt(node, "cannot resolve topic reference");
  return { topic, topicNode: node };
}

export const subscriptionFinder: ResourceFinder = {
  specifier: "encore.dev/pubsub",
  find(pass) {
    eachNamedClass(pass, { specifier: "encore.dev/pubsub", classes: ["Subscription"], config, nameAt: 1 }, (found) => {
      const { node, name, doc, args } = found;
      const { maxConcurrency, ackDeadline, messageRetention, retryPolicy } = required(found);
      const target = topicOf(args[0], pass);
      if (!target) return;
      pass.add({
        kind: "subscription",
        node,
        module: pass.module,
        name,
        doc,
        ...target,
        maxConcurrency: maxConcurrency ?? null,
        ackDeadlineNs: ackDeadline ?? DEFAULTS.ackDeadline,
        retentionNs: messageRetention ?? DEFAULTS.retention,
        retry: {
          minBackoffNs: retryPolicy?.minBackoff ?? DEFAULTS.minBackoff,
          maxBackoffNs: retryPolicy?.maxBackoff ?? DEFAULTS.maxBackoff,
          maxRetries: retryPolicy?.maxRetries ?? DEFAULTS.retries,
        },
      });
    });
  },
};
