// `export default new Service("name", { middlewares })` in encore.service.ts (L-7, L-9).
import { basename } from "node:path";
import { spotOf } from "../source/modules";
import { expression, fields, refuseAt } from "../source/literals";
import { boundVariable, enclosingNew, isDefaultExport, referencesTo } from "../source/references";
import { SERVICE_FILE } from "../source/walk";
import { ts, type TypeScript } from "../typescript";
import type { Pass, ResourceFinder } from "./pass";
import type { ServiceResource } from "./resource";

const serviceConfig = fields({ middlewares: expression });

function serviceName(node: TypeScript.NewExpression): string {
  const [name] = node.arguments ?? [];
  if (!name) throw refuseAt(node, "missing resource name as argument[0]");
  if (ts.isStringLiteral(name)) return name.text;
  throw refuseAt(node, "expected string literal", "Write the service's name out at this place.");
}

function readService(node: TypeScript.NewExpression, pass: Pass): ServiceResource | undefined {
  const variable = boundVariable(node);
  const { diagnostics } = pass;
  if (variable) {
    const remedy = "Write `export default new Service(…)`.";
    diagnostics.report("service definitions should not be bound to a variable", spotOf(variable), { remedy });
    return undefined;
  }
  if (!node.arguments) throw refuseAt(node, "missing constructor arguments");
  const name = serviceName(node);
  const [, config] = node.arguments;
  if (config) serviceConfig(config);
  if (!isDefaultExport(node)) {
    diagnostics.report("service must be default export", spotOf(node));
    return undefined;
  }
  return { kind: "service", node, module: pass.module, name, doc: pass.doc(node) };
}

export const serviceFinder: ResourceFinder = {
  specifier: "encore.dev/service",
  find(pass) {
    let seen = 0;
    pass.each(referencesTo(pass.module, "encore.dev/service", ["Service"]), ({ id }) => {
      const node = enclosingNew(id);
      const service = node && readService(node, pass);
      if (!service) return;
      if (seen++ > 0) throw refuseAt(service.node, "cannot have multiple service declarations in the same module");
      if (basename(pass.module.path) !== SERVICE_FILE)
        throw refuseAt(service.node, `service declarations are only allowed in ${SERVICE_FILE}`);
      pass.add(service, { kind: "default" });
      pass.serviceName = service.name;
    });
  },
};
