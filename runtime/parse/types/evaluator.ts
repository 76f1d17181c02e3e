// Evaluates types on TypeScript's syntax trees. This is Encore's evaluation rather than TypeScript's: an app that
// we accept has to be one that Encore accepts, with the same types on the wire (docs/adr/0002).
import { boundedAt, type Diagnostics, type ErrorExtra, type Spot } from "../errors";
import type { Found, Lookup } from "../source/lookup";
import { declarationSpot, spotOf, type SourceModule } from "../source/modules";
import type { Declared } from "../source/scope";
import { ts, type TypeScript } from "../typescript";
import { indexType, keyOf } from "./access";
import { readChecked, Unreadable } from "./checked";
import { Checker } from "./checker";
import { intersectionType, unionType } from "./composed";
import { conditionalType } from "./conditional";
import { bind, type Binding, type Env, type TypeContext } from "./context";
import { declarationType, typeParametersOf } from "./declarations";
import { expressionType } from "./expressions";
import { mappedType } from "./mapped";
import { objectType } from "./members";
import { referenceType, typeQuery } from "./reference";
import { basic, literal, NEVER, type Basic, type NamedType, type Type } from "./type";

const KEYWORDS = [
  "any",
  "unknown",
  "number",
  "object",
  "boolean",
  "bigint",
  "string",
  "symbol",
  "void",
  "undefined",
  "never",
] as const satisfies readonly Basic[];

/** Nesting at which a generic type is taken to refer to itself without end. */
const MAX_DEPTH = 150;

export class Evaluator implements TypeContext {
  readonly #plain = new Map<Declared, Type | "in progress">();
  readonly #checker: Checker;
  #depth = 0;

  constructor(
    readonly lookups: Lookup,
    readonly diagnostics: Diagnostics,
    readonly extended: boolean,
  ) {
    this.#checker = new Checker(lookups.modules);
  }

  /** The type that a node means in a module. */
  typeIn(node: TypeScript.TypeNode, module: SourceModule): Type {
    return boundedAt(spotOf(node), () => this.type(node, { module, names: new Map() }));
  }

  /** The declaration that an expression names, if it names one. */
  objectOf(node: TypeScript.Expression, module: SourceModule): NamedType | undefined {
    const type = this.expression(node, { module, names: new Map() });
    return type.kind === "named" ? type : undefined;
  }

  lookup(name: string, module: SourceModule): Found | undefined {
    return this.lookups.name(name, module);
  }

  exported(name: string, module: SourceModule): Found | undefined {
    return this.lookups.exported(name, module);
  }

  isUniverse(module: SourceModule): boolean {
    return module === this.lookups.modules.universe;
  }

  report(message: string, spot: Spot | undefined, extra?: ErrorExtra): void {
    this.diagnostics.report(message, spot, extra);
  }

  refuse(node: TypeScript.Node, message: string, extra?: ErrorExtra): Type {
    this.report(message, spotOf(node), extra);
    return NEVER;
  }

  checked(node: TypeScript.TypeReferenceNode): Type {
    try {
      const found = this.#checker.typeOf(node);
      return found ? readChecked(found, node) : NEVER;
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return this.refuse(node, `this type cannot be read: ${error.message}`, { remedy: "Write the type out." });
    }
  }

  isPackaged(name: string, module: SourceModule): boolean {
    return this.lookups.isPackaged(name, module);
  }

  expression(node: TypeScript.Expression, env: Env): Type {
    return expressionType(node, env, this);
  }

  readonly underlying = (type: Type): Type => {
    let current = type;
    for (let steps = 0; current.kind === "named"; steps++) {
      if (steps > MAX_DEPTH) return this.#circular(current.declared);
      current = this.#behind(current);
    }
    return current;
  };

  declaredType(declared: Declared, module: SourceModule): Type {
    const known = this.#plain.get(declared);
    if (known === "in progress") return this.#circular(declared);
    if (known) return known;
    this.#plain.set(declared, "in progress");
    const parameters = typeParametersOf(declared).map((parameter, index): [string, Binding] => [
      parameter.name.text,
      { type: { kind: "parameter", index }, distributes: true },
    ]);
    const type = declarationType(declared, { module, names: new Map(parameters) }, this);
    this.#plain.set(declared, type);
    return type;
  }

  #behind(type: NamedType): Type {
    const parameters = typeParametersOf(type.declared);
    if (!parameters.length) return this.declaredType(type.declared, type.module);
    // Encore reads a declaration once, with its parameters open, and refuses what does not hold for all of them.
    if (!this.extended && this.#plain.get(type.declared) === undefined) this.declaredType(type.declared, type.module);
    if (this.#depth > MAX_DEPTH) return this.#circular(type.declared);
    this.#depth++;
    try {
      return declarationType(type.declared, this.#instantiate(parameters, type), this);
    } finally {
      this.#depth--;
    }
  }

  /** Defaults are evaluated outside of the declaration, so they cannot name the other parameters. */
  #instantiate(parameters: readonly TypeScript.TypeParameterDeclaration[], { args, module }: NamedType): Env {
    let names: ReadonlyMap<string, Binding> = new Map();
    for (const [index, parameter] of parameters.entries()) {
      const env: Env = { module, names: this.extended ? names : new Map() };
      const given = args[index] ?? (parameter.default && this.type(parameter.default, env));
      const type = given ?? ({ kind: "parameter", index } as const);
      names = bind({ module, names }, [[parameter.name.text, { type, distributes: true }]]).names;
    }
    return { module, names };
  }

  #circular(declared: Declared): Type {
    this.report("circular type reference", declarationSpot(declared.node));
    return NEVER;
  }

  type(node: TypeScript.TypeNode, env: Env): Type {
    return (
      this.#keyword(node) ?? this.#structure(node, env) ?? this.#computed(node, env) ?? this.#unsupported(node, env)
    );
  }

  #keyword(node: TypeScript.TypeNode): Type | undefined {
    const name = keywordName(node);
    if (name) return basic(name);
    if (node.kind === ts.SyntaxKind.ThisType) return { kind: "this" };
    if (ts.isLiteralTypeNode(node)) return this.#literal(node);
    return undefined;
  }

  #literal({ literal: node }: TypeScript.LiteralTypeNode): Type {
    if (ts.isNoSubstitutionTemplateLiteral(node)) return this.#template(node);
    if (ts.isStringLiteral(node)) return literal(node.text);
    if (ts.isNumericLiteral(node)) return literal(Number(node.text));
    if (ts.isBigIntLiteral(node)) return literal(BigInt(node.text.replace(/n$/, "")));
    if (ts.isPrefixUnaryExpression(node)) {
      const { operand } = node;
      return literal(
        ts.isBigIntLiteral(operand)
          ? -BigInt(operand.text.replace(/n$/, ""))
          : -Number(operand.getText().replaceAll("_", "")),
      );
    }
    return node.kind === ts.SyntaxKind.NullKeyword ? basic("null") : literal(node.kind === ts.SyntaxKind.TrueKeyword);
  }

  #template(node: TypeScript.Node): Type {
    if (this.extended) return basic("string");
    this.refuse(node, "template literal expression not yet supported", {
      remedy: "Use string, with a validation such as MatchesRegexp.",
    });
    return literal("");
  }

  #structure(node: TypeScript.TypeNode, env: Env): Type | undefined {
    if (ts.isTypeReferenceNode(node)) return referenceType(node, env, this);
    if (ts.isArrayTypeNode(node)) return { kind: "array", elem: this.type(node.elementType, env) };
    if (ts.isTypeLiteralNode(node)) return objectType(node.members, env, this);
    if (ts.isUnionTypeNode(node)) return unionType(node, env, this);
    if (ts.isIntersectionTypeNode(node)) return intersectionType(node, env, this);
    if (ts.isParenthesizedTypeNode(node)) return this.type(node.type, env);
    if (ts.isTupleTypeNode(node)) {
      const plain = node.elements.filter((element) => !ts.isNamedTupleMember(element));
      return { kind: "tuple", types: plain.map((element) => this.type(element, env)) };
    }
    return ts.isOptionalTypeNode(node) ? { kind: "optional", type: this.type(node.type, env) } : undefined;
  }

  #computed(node: TypeScript.TypeNode, env: Env): Type | undefined {
    if (ts.isTypeOperatorNode(node)) {
      const type = this.type(node.type, env);
      return node.operator === ts.SyntaxKind.KeyOfKeyword ? keyOf(type, this) : type;
    }
    if (ts.isIndexedAccessTypeNode(node))
      return indexType(this.type(node.objectType, env), this.type(node.indexType, env), node, this);
    if (ts.isMappedTypeNode(node)) return mappedType(node, env, this);
    if (ts.isConditionalTypeNode(node)) return conditionalType(node, env, this);
    if (ts.isTypeQueryNode(node)) return typeQuery(node, env, this);
    if (ts.isImportTypeNode(node) && node.isTypeOf) return this.refuse(node, "typeof with non-ident not yet supported");
    if (ts.isTemplateLiteralTypeNode(node)) return this.#template(node);
    if (!ts.isInferTypeNode(node)) return undefined;
    if (!env.infer) return this.refuse(node, "infer type outside of infer context");
    env.infer.push(node.typeParameter.name.text);
    return { kind: "inferred", index: env.infer.length - 1 };
  }

  #unsupported(node: TypeScript.TypeNode, _env: Env): Type {
    return this.refuse(node, "unsupported type", { official: `unsupported: ${unsupportedHead(node)}` });
  }
}

function unsupportedHead(node: TypeScript.TypeNode): string {
  if (ts.isImportTypeNode(node)) return "TsImportType(";
  if (ts.isTypePredicateNode(node)) return "TsTypePredicate(";
  return ts.isRestTypeNode(node) ? "TsRestType(" : "TsFnOrConstructorType(";
}

function keywordName(node: TypeScript.TypeNode): Basic | undefined {
  const written = ts.tokenToString(node.kind);
  return KEYWORDS.find((name) => name === written);
}
