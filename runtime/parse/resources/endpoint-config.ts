// The config object of an endpoint (L-20, L-22).
import { posix } from "node:path";
import { ts } from "../typescript";
import { fields, flag, listOf, located, nullable, refuseAt, text, unsigned, type Read } from "../source/literals";

/** In the order in which the metadata lists them. */
const METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
export const ALL_METHODS = METHODS.slice(0, -1);
const METHODS_WITH_BODY = new Set(["POST", "PUT", "PATCH", "CONNECT"]);

export const hasBody = (method: string): boolean => METHODS_WITH_BODY.has(method);

const methods: Read<string[]> = (node) => {
  if (ts.isStringLiteral(node)) {
    if (node.text === "*") return ALL_METHODS;
    if (METHODS.includes(node.text)) return [node.text];
    throw refuseAt(node, "invalid method: invalid method", `Known methods: ${METHODS.join(", ")}, and "*" for all.`);
  }
  if (!ts.isArrayLiteralExpression(node)) throw refuseAt(node, "invalid methods: must be string or array of strings");
  if (!node.elements.length)
    throw refuseAt(node, "invalid methods: at least one is needed", "Leave `method` out for POST.");
  const listed = node.elements.filter((element) => ts.isStringLiteral(element));
  if (listed.some((element) => element.text === "*")) {
    if (node.elements.length === 1) return ALL_METHODS;
    throw refuseAt(node, "invalid methods: cannot mix * and other methods");
  }
  const unknown = listed.find((element) => !METHODS.includes(element.text));
  if (unknown) throw refuseAt(unknown, "invalid method");
  return METHODS.filter((method) => listed.some((element) => element.text === method));
};

/** A path below the folder of the file, normalised: `./files/../x` is `x`. */
export const localPath: Read<string> = (node) => {
  const wrong = refuseAt(
    node,
    "expected a local relative path",
    "Write a path inside the folder of this file, without '..' and without a leading '/'.",
  );
  if (!ts.isStringLiteral(node)) throw wrong;
  if (node.text.startsWith("/") || node.text.split("/").includes("..")) throw wrong;
  return posix.join(node.text, "x", "..").replace(/\/$/, "");
};

const HEADER_PROBLEM = "header value must be a string or array of strings";

const headers: Read<Record<string, string[]>> = (node) => {
  if (!ts.isObjectLiteralExpression(node)) throw refuseAt(node, "headers must be an object");
  const result: Record<string, string[]> = {};
  for (const property of node.properties) {
    if (!ts.isPropertyAssignment(property) || !(ts.isIdentifier(property.name) || ts.isStringLiteral(property.name)))
      continue;
    const value = property.initializer;
    const parts = ts.isArrayLiteralExpression(value) ? value.elements : [value];
    result[property.name.text] = parts.map((part) => {
      if (ts.isStringLiteral(part)) return part.text;
      throw refuseAt(part, HEADER_PROBLEM);
    });
  }
  return result;
};

export const endpointConfig = fields({
  method: methods,
  path: located(text),
  expose: flag,
  auth: flag,
  bodyLimit: nullable(unsigned(64)),
  tags: listOf(text),
  sensitive: flag,
  dir: located(localPath),
  notFound: located(localPath),
  notFoundStatus: unsigned(32),
  headers,
});

export type EndpointConfig = ReturnType<typeof endpointConfig>;
