// `new Counter("name")`, `new GaugeGroup<Labels>("name")` and their siblings (L-38).
import { fields, refuseAt } from "../source/literals";
import { spotOf } from "../source/modules";
import { ts } from "../typescript";
import { interfaceBehind } from "./endpoint-types";
import { eachNamedClass } from "./named-class";
import { nameProblem, snakeCase } from "./names";
import type { Pass, ResourceFinder } from "./pass";
import type { TypeAt } from "./resource";

const SPECIFIER = "encore.dev/metrics";
const CLASSES = ["Counter", "CounterGroup", "Gauge", "GaugeGroup"];

export const reservedLabel = (name: string): string =>
  `invalid label name '${name}': the label name 'service' is reserved and automatically added by the Encore runtime`;

function reportReservedLabels(labels: TypeAt, node: Parameters<typeof spotOf>[0], pass: Pass): void {
  for (const field of interfaceBehind(labels.type, pass.evaluator)?.fields ?? []) {
    if (snakeCase(field.name) === "service") pass.diagnostics.report(reservedLabel(field.name), spotOf(node));
  }
}

export const metricFinder: ResourceFinder = {
  specifier: SPECIFIER,
  find(pass) {
    eachNamedClass(pass, { specifier: SPECIFIER, classes: CLASSES, config: fields({}) }, ({ node, name, doc }) => {
      const problem = nameProblem(name, "_", "e_");
      if (problem) throw refuseAt(node, `invalid metric name '${name}': ${problem}.`);
      if (!ts.isIdentifier(node.expression)) return;
      const metric = node.expression.text.startsWith("Counter") ? "counter" : "gauge";
      const [labelsNode] = node.typeArguments ?? [];
      const labels = labelsNode && pass.typeAt(labelsNode);
      if (labels) reportReservedLabels(labels, node, pass);
      pass.add({ kind: "metric", node, module: pass.module, name, doc, metric, labels });
    });
  },
};
