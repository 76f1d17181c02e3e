// What the handler of an endpoint says about its types: the annotation of its first parameter and of its result.
// A handler that is not written in place says nothing.
import { spotAt } from "../source/modules";
import { Refusal } from "../errors";
import { ts, type TypeScript } from "../typescript";

export interface HandlerSignature {
  parameters: number;
  request: TypeScript.TypeNode | undefined;
  response: TypeScript.TypeNode | undefined;
}

const NOTHING: HandlerSignature = { parameters: 0, request: undefined, response: undefined };

/** @throws Refusal with `generic` as its message when the handler has type parameters */
export function handlerSignature(node: TypeScript.Expression, generic: string): HandlerSignature {
  if (!ts.isArrowFunction(node) && !ts.isFunctionExpression(node)) return NOTHING;
  if (node.typeParameters)
    throw new Refusal(generic, spotAt(node, node.typeParameters.pos - 1), {
      remedy: "Encore needs one concrete type on each side.",
    });
  const [first] = node.parameters;
  return {
    parameters: node.parameters.length,
    request: first?.initializer ? undefined : first?.type,
    response: node.type,
  };
}
