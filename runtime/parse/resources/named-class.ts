// `new X("name", { … })`: what most resources look like.
import { refuseAt, type Read } from "../source/literals";
import { enclosingNamed, enclosingNew, referencesTo, type Reference } from "../source/references";
import { ts, type TypeScript } from "../typescript";
import type { Pass } from "./pass";

export interface NamedClass<C> {
  node: TypeScript.NewExpression;
  args: readonly TypeScript.Expression[];
  imported: string;
  name: string;
  config: C | undefined;
  doc: string | undefined;
}

interface Shape<C> {
  specifier: string;
  classes: readonly string[];
  config: Read<C>;
  /** Position of the name; the config follows it. */
  nameAt?: number;
}

function argument(args: readonly TypeScript.Expression[], index: number): TypeScript.Expression | undefined {
  const arg = args[index];
  return arg && ts.isSpreadElement(arg) ? arg.expression : arg;
}

function resourceName(node: TypeScript.NewExpression | TypeScript.CallExpression, index: number): string {
  const arg = node.arguments?.[index];
  if (!arg) throw refuseAt(node, `missing resource name as argument[${index}]`);
  if (ts.isStringLiteral(arg)) return arg.text;
  throw refuseAt(
    node,
    "expected string literal",
    "The name has to be a plain text at this place: Encore reads it without running the app.",
  );
}

function readNamedClass<C>(reference: Reference, shape: Shape<C>, pass: Pass): NamedClass<C> | undefined {
  const node = enclosingNew(reference.id);
  if (!node) return undefined;
  if (!node.arguments) throw refuseAt(node, "missing constructor arguments");
  const nameAt = shape.nameAt ?? 0;
  const name = resourceName(node, nameAt);
  const configNode = argument(node.arguments, nameAt + 1);
  const config = configNode && shape.config(configNode);
  return { node, args: node.arguments, imported: reference.imported, name, config, doc: pass.doc(node) };
}

/** Runs `use` for every `new X(name, config?)` of the given classes. */
export function eachNamedClass<C>(pass: Pass, shape: Shape<C>, use: (found: NamedClass<C>) => void): void {
  pass.each(referencesTo(pass.module, shape.specifier, shape.classes), (reference) => {
    const found = readNamedClass(reference, shape, pass);
    if (found) use(found);
  });
}

/** The config of a class that cannot do without. */
export function required<C>(found: NamedClass<C>): C {
  if (found.config === undefined) throw refuseAt(found.node, "missing required config object");
  return found.config;
}

/** Runs `use` for every `X.named("…")`. */
export function eachNamedReference(
  pass: Pass,
  specifier: string,
  className: string,
  use: (name: string, node: TypeScript.CallExpression) => void,
): void {
  pass.each(referencesTo(pass.module, specifier, [className]), ({ id }) => {
    const node = enclosingNamed(id);
    if (node) use(resourceName(node, 0), node);
  });
}
