// Readers of literal configuration (L-13): what is not a literal is refused where it stands. A reader takes an
// expression and gives its value; `fields` makes one for an object literal.
import { Refusal } from "../errors";
import { spotOf } from "./modules";
import { ts, type TypeScript } from "../typescript";

export type Read<T> = (node: TypeScript.Expression) => T;

/** A value with the expression it was read from. */
export interface Located<T> {
  value: T;
  node: TypeScript.Expression;
}

export const refuseAt = (node: TypeScript.Node, message: string, remedy?: string): Refusal =>
  new Refusal(message, spotOf(node), remedy === undefined ? {} : { remedy });

const LITERALS_ONLY = "Encore reads the source, it does not run it: write the value out at this place.";

export const text: Read<string> = (node) => {
  if (ts.isStringLiteral(node)) return node.text;
  throw refuseAt(node, "expected string literal", LITERALS_ONLY);
};

export const flag: Read<boolean> = (node) => {
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
  if (node.kind === ts.SyntaxKind.FalseKeyword) return false;
  throw refuseAt(node, "expected boolean literal", LITERALS_ONLY);
};

export const expression: Read<TypeScript.Expression> = (node) => node;

export const located =
  <T>(read: Read<T>): Read<Located<T>> =>
  (node) => ({ value: read(node), node });

export const nullable =
  <T>(read: Read<T>): Read<T | null> =>
  (node) =>
    node.kind === ts.SyntaxKind.NullKeyword ? null : read(node);

export const either =
  <L, R>(left: Read<L>, right: Read<R>): Read<L | R> =>
  (node) => {
    try {
      return left(node);
    } catch (error) {
      if (error instanceof Refusal) return right(node);
      throw error;
    }
  };

export const listOf =
  <T>(read: Read<T>): Read<T[]> =>
  (node) => {
    if (!ts.isArrayLiteralExpression(node)) throw refuseAt(node, "expected array literal", LITERALS_ONLY);
    return node.elements.map((element) => {
      if (ts.isOmittedExpression(element)) throw refuseAt(node, "expected array element");
      return read(ts.isSpreadElement(element) ? element.expression : element);
    });
  };

function divide(x: bigint, y: bigint, node: TypeScript.Node): bigint {
  if (y === 0n || x % y !== 0n) throw refuseAt(node, "expected integer division");
  return x / y;
}

function arithmetic(node: TypeScript.BinaryExpression): bigint {
  const x = integer(node.left);
  const y = integer(node.right);
  switch (node.operatorToken.kind) {
    case ts.SyntaxKind.PlusToken:
      return x + y;
    case ts.SyntaxKind.MinusToken:
      return x - y;
    case ts.SyntaxKind.AsteriskToken:
      return x * y;
    case ts.SyntaxKind.PercentToken:
      return y === 0n ? divide(x, y, node) : x % y;
    case ts.SyntaxKind.SlashToken:
      return divide(x, y, node);
    default:
      throw refuseAt(node, `expected arithmetic operator, got "${node.operatorToken.getText()}"`);
  }
}

/** Integers, and constant arithmetic on them such as `24 * 60`. */
function integer(node: TypeScript.Expression): bigint {
  if (ts.isNumericLiteral(node)) {
    const value = Number(node.text);
    if (!Number.isInteger(value) || value > 2 ** 63) throw refuseAt(node, "expected integer literal");
    return value === 2 ** 63 ? BigInt(value) - 1n : BigInt(value);
  }
  if (ts.isPrefixUnaryExpression(node)) {
    if (node.operator === ts.SyntaxKind.MinusToken) return -integer(node.operand);
    if (node.operator === ts.SyntaxKind.PlusToken) return integer(node.operand);
    throw refuseAt(node, `unsupported unary operator "${ts.tokenToString(node.operator)}"`);
  }
  if (ts.isBinaryExpression(node)) return arithmetic(node);
  throw refuseAt(node, "expected integer literal", LITERALS_ONLY);
}

/** An unsigned integer below 2^bits. */
export const unsigned =
  (bits: 32 | 64): Read<number> =>
  (node) => {
    const value = integer(node);
    if (value < 0n || value >= 1n << BigInt(bits)) throw refuseAt(node, "expected unsigned number literal");
    return Number(value);
  };

type Values<S extends Record<string, Read<unknown>>> = { [K in keyof S]?: ReturnType<S[K]> };

function assignment(
  property: TypeScript.ObjectLiteralElementLike,
): TypeScript.PropertyAssignment & { name: TypeScript.Identifier | TypeScript.StringLiteral } {
  if (ts.isSpreadAssignment(property)) throw refuseAt(property, "spread operator unsupported", LITERALS_ONLY);
  if (!ts.isPropertyAssignment(property)) throw refuseAt(property, "prop type not supported", LITERALS_ONLY);
  const { name } = property;
  if (ts.isIdentifier(name) || ts.isStringLiteral(name)) return Object.assign(property, { name });
  throw refuseAt(property, "prop name kind not supported");
}

/** An object literal with the given fields; `required` ones must be there. */
export function fields<S extends Record<string, Read<unknown>>>(
  shape: S,
  required: (keyof S & string)[] = [],
): Read<Values<S>> {
  return (node) => {
    if (!ts.isObjectLiteralExpression(node)) throw refuseAt(node, "expected object literal", LITERALS_ONLY);
    const values: Values<S> = {};
    for (const property of node.properties) {
      const { name, initializer } = assignment(property);
      const key = name.text as keyof S & string;
      const read = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (!read)
        throw refuseAt(
          property,
          "unexpected field",
          `Known here: ${Object.keys(shape).join(", ") || "no field at all"}.`,
        );
      if (key in values) throw refuseAt(property, `field ${key} set twice`);
      values[key] = read(initializer) as Values<S>[typeof key];
    }
    for (const key of required) if (!(key in values)) throw refuseAt(node, `field ${key} is required but is missing`);
    return values;
  };
}
