// `new Topic<Message>("name", { deliveryGuarantee, orderingAttribute })` (L-33).
import { fields, located, refuseAt, text, type Located } from "../source/literals";
import { eachNamedClass, required } from "./named-class";
import type { ResourceFinder } from "./pass";
import type { TopicResource } from "./resource";

const config = fields({ deliveryGuarantee: located(text), orderingAttribute: text });

function guaranteeOf(given: Located<string> | undefined): TopicResource["guarantee"] {
  if (!given || given.value === "at-least-once") return "at-least-once";
  if (given.value === "exactly-once") return given.value;
  throw refuseAt(given.node, "invalid delivery guarantee", 'Use "at-least-once" or "exactly-once".');
}

export const topicFinder: ResourceFinder = {
  specifier: "encore.dev/pubsub",
  find(pass) {
    eachNamedClass(pass, { specifier: "encore.dev/pubsub", classes: ["Topic"], config }, (found) => {
      const { node, name, doc } = found;
      const { deliveryGuarantee, orderingAttribute } = required(found);
      const [messageNode] = node.typeArguments ?? [];
      if (!messageNode) throw refuseAt(node, "missing message type parameter", "Write `new Topic<Message>(…)`.");
      const message = pass.typeAt(messageNode);
      const guarantee = guaranteeOf(deliveryGuarantee);
      pass.add({ kind: "topic", node, module: pass.module, name, doc, message, guarantee, orderingAttribute });
    });
  },
};
