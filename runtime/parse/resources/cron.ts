// `new CronJob("id", { title, every | schedule, endpoint })` (L-34).
import { duration } from "../source/durations";
import { expression, fields, located, refuseAt, text, type Located, type Read } from "../source/literals";
import { ts, type TypeScript } from "../typescript";
import { cronProblem } from "./cron-expression";
import { eachNamedClass, required } from "./named-class";
import type { ResourceFinder } from "./pass";

const MINUTE_NS = 60e9;
const SECOND_NS = 1e9;
const DAY_MINUTES = 24 * 60;

const cronExpression: Read<string> = (node) => {
  if (!ts.isStringLiteral(node)) throw refuseAt(node, "expected cron expression");
  const problem = cronProblem(node.text);
  if (problem) throw refuseAt(node, problem, 'Five fields, for example "0 4 * * *" for four o\'clock every day.');
  return node.text;
};

const config = fields({ endpoint: expression, title: text, every: located(duration), schedule: cronExpression }, [
  "endpoint",
]);

function everyMinutes({ value, node }: Located<number>): string {
  if (Math.floor(value / SECOND_NS) % 60 !== 0) throw refuseAt(node, "`every` must be a multiple of 60 seconds");
  const minutes = Math.floor(value / MINUTE_NS);
  if (minutes > DAY_MINUTES) throw refuseAt(node, "`every` must be at most 24 hours");
  return `every:${minutes}`;
}

function scheduleOf(every: Located<number> | undefined, schedule: string | undefined, node: TypeScript.Node): string {
  if (every && schedule !== undefined)
    throw refuseAt(node, "expected either `every` or `schedule` to be set, not both");
  if (every) return everyMinutes(every);
  if (schedule !== undefined) return `schedule:${schedule}`;
  throw refuseAt(node, "expected either `every` or `schedule` to be set");
}

export const cronFinder: ResourceFinder = {
  specifier: "encore.dev/cron",
  find(pass) {
    eachNamedClass(pass, { specifier: "encore.dev/cron", classes: ["CronJob"], config }, (found) => {
      const { node, name, doc } = found;
      const { endpoint: endpointNode, title, every, schedule: cron } = required(found);
      if (!endpointNode) return;
      const endpoint = pass.evaluator.objectOf(endpointNode, pass.module);
      if (!endpoint) throw refuseAt(endpointNode, "cannot resolve endpoint");
      const schedule = scheduleOf(every, cron, node);
      pass.add({ kind: "cron", node, module: pass.module, name, doc, title, endpoint, endpointNode, schedule });
    });
  },
};
