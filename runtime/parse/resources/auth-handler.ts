// `authHandler<Params, Data>(fn)` (L-31): both types written out, every parameter from a header, query or cookie.
import { spotOf } from "../source/modules";
import { refuseAt } from "../source/literals";
import { boundVariable, enclosingCall, referencesTo } from "../source/references";
import type { TypeScript } from "../typescript";
import { implicitService } from "./endpoint";
import { fieldsOf, unwrapPromise, wireOf } from "./endpoint-types";
import { handlerSignature } from "./handler-signature";
import type { Pass, ResourceFinder } from "./pass";
import type { TypeAt } from "./resource";

function typesOf(node: TypeScript.CallExpression, pass: Pass): { params: TypeAt; data: TypeAt } {
  const [handler] = node.arguments;
  if (!handler) throw refuseAt(node, "auth handler must have a handler function as its first argument");
  const signature = handlerSignature(handler, "auth handler cannot have type parameters");
  const params = signature.request ?? node.typeArguments?.[0];
  const data = signature.response ?? node.typeArguments?.[1];
  if (!params) throw refuseAt(node, "auth handler must have an explicitly defined parameter type");
  if (!data) throw refuseAt(node, "auth handler must have an explicitly defined result type");
  const dataAt = pass.typeAt(data);
  return { params: pass.typeAt(params), data: { ...dataAt, type: unwrapPromise(dataAt.type, pass.evaluator) } };
}

function readAuthHandler(node: TypeScript.CallExpression, pass: Pass): void {
  const id = boundVariable(node);
  if (!id) throw refuseAt(node, "auth handler must be bound to a variable");
  const { params, data } = typesOf(node, pass);
  const inBody = fieldsOf(params, pass.evaluator).find((field) => !wireOf(field.type));
  if (inBody) {
    const message = "authHandler parameter type can only consist of Query and Header fields";
    return pass.diagnostics.report(message, inBody.spot ?? spotOf(params.node), {
      remedy: `Give '${inBody.name}' the type Header<…>, Query<…> or Cookie<…>.`,
    });
  }
  const serviceName = implicitService(pass);
  pass.add(
    { kind: "authHandler", node, module: pass.module, name: id.text, serviceName, doc: pass.doc(node), params, data },
    { kind: "named", id },
  );
}

export const authHandlerFinder: ResourceFinder = {
  specifier: "encore.dev/auth",
  find(pass) {
    pass.each(referencesTo(pass.module, "encore.dev/auth", ["authHandler"]), ({ id }) => {
      const node = enclosingCall(id);
      if (node) readAuthHandler(node, pass);
    });
  },
};
