// The type arguments of a stream endpoint (L-29): a handshake first when the handler takes two parameters.
import { Refusal } from "../errors";
import { refuseAt } from "../source/literals";
import { spotAt } from "../source/modules";
import type { TypeScript } from "../typescript";
import { handlerSignature } from "./handler-signature";
import type { Pass } from "./pass";
import type { TypeAt } from "./resource";

type Stream = "streamIn" | "streamOut" | "streamInOut";

const COUNTS: Record<Stream, number[]> = { streamIn: [1, 2], streamOut: [1], streamInOut: [2] };

function refuseCount(node: TypeScript.CallExpression, expected: number[], found: number): Refusal {
  const wanted = expected.length === 1 ? `expected ${expected[0]}` : `expected one of [${expected.join(", ")}]`;
  const list = node.typeArguments;
  const remedy = "A handler with two parameters needs the type of its handshake first.";
  return new Refusal(`wrong number of type parameters, ${wanted}, found ${found}`, spotAt(node, (list?.pos ?? 1) - 1), {
    remedy,
  });
}

export function streamTypes(
  node: TypeScript.CallExpression,
  handler: TypeScript.Expression,
  stream: Stream,
  pass: Pass,
): { request?: TypeAt | undefined; response?: TypeAt | undefined; handshake?: TypeAt | undefined } {
  const args = node.typeArguments;
  if (!args) throw refuseAt(node, `missing type parameters in call to ${stream}`);
  const signature = handlerSignature(handler, "stream endpoint handler cannot have type parameters");
  const hasHandshake = signature.parameters === 2;
  const expected = COUNTS[stream].map((count) => count + (hasHandshake ? 1 : 0));
  if (!expected.includes(args.length)) throw refuseCount(node, expected, args.length);
  const at = (list: TypeScript.TypeNode | undefined): TypeAt | undefined => list && pass.typeAt(list);
  const rest = hasHandshake ? args.slice(1) : [...args];
  const handshake = hasHandshake ? at(args[0]) : undefined;
  if (stream === "streamOut") return { handshake, response: at(rest[0]) };
  const response = rest[1] ?? (stream === "streamIn" ? signature.response : undefined);
  return { handshake, request: at(rest[0]), response: at(response) };
}
