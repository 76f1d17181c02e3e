// The key of a cache keyspace and its pattern have to name the same things.
import { refuseAt, type Located } from "../source/literals";
import { spotOf } from "../source/modules";
import { render } from "../types/debug-text";
import { isBasic, type InterfaceType } from "../types/type";
import type { Pass } from "./pass";
import type { TypeAt } from "./resource";

const parameters = (pattern: string): string[] =>
  pattern
    .split("/")
    .filter((segment) => segment.startsWith(":"))
    .map((segment) => segment.slice(1));

function checkBasicKey(pattern: Located<string>): void {
  const wrong = parameters(pattern.value).some((name) => name !== "key");
  if (wrong) throw refuseAt(pattern.node, "KeyPattern parameter must be named ':key' for basic (non-struct) key types");
}

function checkStructKey(type: InterfaceType, key: TypeAt, pattern: Located<string>, pass: Pass): void {
  const used = new Set(parameters(pattern.value));
  const known = new Set<string>();
  const report = (message: string, at = spotOf(key.node)): void => pass.diagnostics.report(message, at);
  for (const { name, type: fieldType } of type.fields) {
    if (!isBasic(fieldType, "string", "number", "boolean", "bigint")) {
      report(`cache key field '${name}' must be a basic type (string, number, or boolean)`);
      continue;
    }
    if (!used.has(name)) report(`cache key field '${name}' is not used in the keyPattern`);
    known.add(name);
  }
  for (const name of used)
    if (!known.has(name)) report(`keyPattern parameter '${name}' does not exist in the key type`, spotOf(pattern.node));
}

/** Reports what is wrong; throws a Refusal where nothing more can be said. */
export function checkKey(key: TypeAt, pattern: Located<string>, pass: Pass): void {
  if (pattern.value.startsWith("__encore"))
    throw refuseAt(pattern.node, "the prefix `__encore` is reserved for internal use by Encore");
  if (key.type.kind === "basic") return checkBasicKey(pattern);
  const behind = pass.evaluator.underlying(key.type);
  if (behind.kind !== "interface") throw refuseAt(key.node, `unsupported key type: ${render(behind)}`);
  checkStructKey(behind, key, pattern, pass);
}
