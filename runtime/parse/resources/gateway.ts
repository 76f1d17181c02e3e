// `new Gateway({ authHandler })` (L-32).
import { expression, fields, refuseAt } from "../source/literals";
import { enclosingNew, referencesTo } from "../source/references";
import type { ResourceFinder } from "./pass";

const gatewayConfig = fields({ authHandler: expression });

export const gatewayFinder: ResourceFinder = {
  specifier: "encore.dev/api",
  find(pass) {
    pass.each(referencesTo(pass.module, "encore.dev/api", ["Gateway"]), ({ id }) => {
      const node = enclosingNew(id);
      if (!node) return;
      if (!node.arguments) throw refuseAt(node, "missing constructor arguments");
      const [configNode] = node.arguments;
      if (!configNode) throw refuseAt(node, "missing config object");
      const { authHandler: handlerNode } = gatewayConfig(configNode);
      const authHandler = handlerNode && pass.evaluator.objectOf(handlerNode, pass.module);
      if (handlerNode && !authHandler) throw refuseAt(handlerNode, "cannot resolve auth handler");
      pass.add({ kind: "gateway", node, module: pass.module, doc: pass.doc(node), authHandler });
    });
  },
};
