// `const name = secret("Name")`, at module level (L-39).
import { spotOf } from "../source/modules";
import { text } from "../source/literals";
import { boundVariable, enclosingCall, referencesTo } from "../source/references";
import { ts, type TypeScript } from "../typescript";
import type { Pass, ResourceFinder } from "./pass";

function insideFunction(node: TypeScript.Node): boolean {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) if (ts.isFunctionLike(at)) return true;
  return false;
}

function readSecret(node: TypeScript.CallExpression, pass: Pass): void {
  const { diagnostics, module } = pass;
  if (insideFunction(node))
    return diagnostics.report("secrets must be defined globally", spotOf(node), {
      remedy: "Move it to the top of the file.",
    });
  const id = boundVariable(node);
  if (!id) return diagnostics.report("secrets must be bound to a variable", spotOf(node));
  const [nameNode] = node.arguments;
  if (!nameNode) {
    const message = "secret() takes a single argument, the name of the secret as a string literal";
    return diagnostics.report(message, spotOf(node));
  }
  pass.add({ kind: "secret", node, module, name: text(nameNode), doc: pass.doc(node) }, { kind: "named", id });
}

export const secretFinder: ResourceFinder = {
  specifier: "encore.dev/config",
  find(pass) {
    pass.each(referencesTo(pass.module, "encore.dev/config", ["secret"]), ({ id }) => {
      const node = enclosingCall(id);
      if (node) readSecret(node, pass);
    });
  },
};
