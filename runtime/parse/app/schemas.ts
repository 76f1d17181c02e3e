// Types → schemas of the AppModel. Named types without parameters become declarations, which lets types recurse;
// everything else is written out in place.
import type { Decl, Field, Schema } from "../../model";
import { boundedAt, Refusal, type Diagnostics } from "../errors";
import { docOf } from "../source/comments";
import { spotOf } from "../source/modules";
import { deferredHead, render } from "../types/debug-text";
import type { Evaluator } from "../types/evaluator";
import { simplifyValidation } from "../types/validation";
import {
  isBasic,
  isDeferred,
  union,
  type Basic,
  type InterfaceType,
  type NamedType,
  type Type,
  type TypeField,
  type ValidationExpr,
  type WireType,
} from "../types/type";
import { meaningful, wireOf } from "../resources/endpoint-types";
import { typeParametersOf } from "../types/declarations";
import { UNIVERSE_FILE } from "../source/universe";
import type { TypeAt } from "../resources/resource";
import { toValidation } from "../types/validation-model";

const BUILTINS: Partial<Record<Basic, Schema>> = {
  any: { kind: "builtin", name: "any" },
  unknown: { kind: "builtin", name: "any" },
  string: { kind: "builtin", name: "string" },
  boolean: { kind: "builtin", name: "bool" },
  Date: { kind: "builtin", name: "time" },
  number: { kind: "builtin", name: "float64" },
  bigint: { kind: "builtin", name: "decimal" },
  null: { kind: "literal", value: null },
};

const REFUSED: Partial<Record<Type["kind"], string>> = {
  tuple: "tuple types are not yet supported in schemas",
  class: "class types are not yet supported in schemas",
  optional: "optional types are not yet supported in schemas",
  this: "this types are not yet supported in schemas",
  function: "function types are not supported in schemas",
};

const REMEDIES: Partial<Record<Type["kind"], string>> = {
  tuple: "Use a list, or an object with a field for each position.",
  class: "Use an interface with the fields that travel.",
  function: "Only data travels: leave functions and methods out.",
};

/** The union without its `undefined`, and whether there was one. */
function withoutUndefined(type: Type): { type: Type; had: boolean } {
  if (type.kind !== "union") return { type, had: false };
  const at = type.types.findIndex((member) => isBasic(member, "undefined"));
  if (at < 0) return { type, had: false };
  const [first, second] = type.types;
  if (type.types.length === 2 && first && second) return { type: at === 0 ? second : first, had: true };
  const rest = [...type.types];
  const last = rest.pop();
  if (at < rest.length && last) rest[at] = last;
  return { type: union(rest), had: true };
}

function wireOfField(spec: WireType): Pick<Field, "wire" | "tags"> & { tagName: (field: string) => string } {
  const tagName = (field: string): string => spec.name ?? field;
  if (spec.location === "attribute") return { tagName };
  if (spec.location === "httpStatus") return { wire: { in: "httpStatus" }, tagName };
  return { wire: { in: spec.location, ...(spec.name !== undefined && { name: spec.name }) }, tagName };
}

const TAG_KEYS = {
  header: "header",
  query: "query",
  cookie: "cookie",
  attribute: "pubsub-attr",
  httpStatus: undefined,
} as const;

export class Schemas {
  readonly decls: Record<string, Decl> = {};
  readonly #ids = new Map<unknown, string>();
  #openDecls = 0;
  /** Where to say what has no place of its own. */
  #context: TypeAt | undefined;

  constructor(
    readonly evaluator: Evaluator,
    readonly diagnostics: Diagnostics,
  ) {}

  /** @throws Refusal at the type's place when it has no schema */
  at(at: TypeAt): Schema {
    return this.#within(at, () => this.#schema(at.type));
  }

  /** A request without its path parameters; null when nothing is left. */
  request(at: TypeAt | undefined, pathNames: ReadonlySet<string>, owner: string): Schema | null {
    if (!at) return null;
    return this.#within(at, () => this.#request(at.type, pathNames, owner));
  }

  #within<T>(at: TypeAt, work: () => T): T {
    const outer = this.#context;
    this.#context = at;
    try {
      return boundedAt(spotOf(at.node), work);
    } finally {
      this.#context = outer;
    }
  }

  #refuse(message: string, remedy?: string, official?: string): Refusal {
    const spot = this.#context && spotOf(this.#context.node);
    return new Refusal(message, spot, {
      ...(remedy !== undefined && { remedy }),
      ...(official !== undefined && { official }),
    });
  }

  #request(type: Type, pathNames: ReadonlySet<string>, owner: string): Schema | null {
    const behind = this.evaluator.underlying(type);
    if (behind.kind !== "interface") {
      const kept = meaningful(type);
      return kept ? this.#schema(kept) : null;
    }
    const rest = meaningful({ ...behind, fields: behind.fields.filter((field) => !pathNames.has(field.name)) });
    if (!rest) return null;
    if (type.kind !== "named") return this.#schema(rest);
    const args = type.args.map((arg) => this.#schema(arg));
    if (type.module.path === UNIVERSE_FILE) {
      throw this.#refuse(
        "missing package name for universe.ts",
        `Give the type a name of its own: interface Request extends ${render(type)} {}`,
      );
    }
    const id = this.#newDecl(type, owner);
    this.#declare(id, type, this.#schema(rest));
    return { kind: "named", id, ...(args.length && { args }) };
  }

  #newDecl({ declared, module }: NamedType, owner?: string): string {
    const { file } = this.diagnostics.place({ path: module.path, text: "", offset: 0 });
    const base = `${file}#${declared.name ?? "default"}${owner === undefined ? "" : `@${owner}`}`;
    let id = base;
    for (let i = 2; id in this.decls; i++) id = `${base}~${i}`;
    return id;
  }

  #declare(id: string, { declared }: NamedType, type: Schema): void {
    const doc = docOf(declared.node);
    this.decls[id] = {
      id,
      name: declared.name ?? "default",
      ...(doc !== undefined && { doc }),
      place: this.diagnostics.place(spotOf(declared.node)),
      type,
    };
  }

  #schema(type: Type): Schema {
    switch (type.kind) {
      case "basic":
        return this.#basic(type.name);
      case "array":
        return { kind: "list", elem: this.#schema(type.elem) };
      case "interface":
        return this.#interface(type);
      case "enum":
        return { kind: "union", types: type.members.map((member) => ({ kind: "literal", value: member.value })) };
      case "union":
        return { kind: "union", types: type.types.map((member) => this.#schema(member)) };
      case "literal":
        return { kind: "literal", value: typeof type.value === "bigint" ? String(type.value) : type.value };
      case "named":
        return this.#named(type);
      case "validated":
        return { ...this.#schema(type.type), validation: toValidation(simplifyValidation(type.expr)) };
      case "wire":
        return this.#schema(type.type);
      case "decimal":
        return { kind: "builtin", name: "decimal" };
      default:
        return this.#refused(type);
    }
  }

  #refused(type: Type): Schema {
    if (isDeferred(type)) {
      if (type.kind === "parameter") {
        if (this.#openDecls > 0) return { kind: "typeParameter", index: type.index };
        throw this.#refuse("missing decl_id", "A generic type needs its type arguments here.");
      }
      const remedy = "Encore does not resolve this type: write the resulting interface out.";
      const message = `unresolved generic types are not supported in schemas, got: ${render(type)}`;
      throw this.#refuse(
        message,
        remedy,
        `unresolved generic types are not supported in schemas, got: ${deferredHead(type)}`,
      );
    }
    throw this.#refuse(
      REFUSED[type.kind] ?? "unresolved standalone validation expression not supported in api schema",
      REMEDIES[type.kind],
    );
  }

  #basic(name: Basic): Schema {
    const known = BUILTINS[name];
    if (known) return known;
    const dumped = name.charAt(0).toUpperCase() + name.slice(1);
    const message = `unsupported basic type in schema: ${dumped}`;
    this.diagnostics.report(message, this.#context && spotOf(this.#context.node), {
      official: message,
      remedy: `'${name}' has no form on the wire.`,
    });
    return { kind: "builtin", name: "any" };
  }

  #named(type: NamedType): Schema {
    const isPlain = typeParametersOf(type.declared).length === 0 && !this.evaluator.isUniverse(type.module);
    if (!isPlain) return this.#schema(this.evaluator.underlying(type));
    const known = this.#ids.get(type.declared);
    if (known !== undefined) return { kind: "named", id: known };
    const id = this.#newDecl(type);
    this.#ids.set(type.declared, id);
    this.#declare(id, type, { kind: "builtin", name: "any" });
    this.#openDecls++;
    try {
      this.#declare(id, type, this.#schema(this.evaluator.declaredType(type.declared, type.module)));
    } finally {
      this.#openDecls--;
    }
    return { kind: "named", id };
  }

  #interface(type: InterfaceType): Schema {
    if (!type.index) return { kind: "struct", fields: type.fields.map((field) => this.#field(field)) };
    if (type.fields.length)
      throw this.#refuse(
        "index signature with additional fields is not supported",
        "Put the open part into a field of its own.",
      );
    return { kind: "map", key: this.#schema(type.index.key), value: this.#schema(type.index.value) };
  }

  #field(field: TypeField): Field {
    const { type: given, had } = withoutUndefined(field.type);
    const { type, expr }: { type: Type; expr?: ValidationExpr } = given.kind === "validated" ? given : { type: given };
    const spec = wireOf(type);
    const schema = this.#schema(spec ? spec.type : type);
    const { name, doc } = field;
    return {
      name,
      ...(doc !== undefined && { doc }),
      type: expr ? { ...schema, validation: toValidation(expr) } : schema,
      optional: field.optional || had,
      ...(spec && this.#wire(spec, name)),
    };
  }

  #wire(spec: WireType, fieldName: string): Pick<Field, "wire" | "tags"> {
    const { wire, tagName } = wireOfField(spec);
    const key = TAG_KEYS[spec.location];
    return { ...(wire && { wire }), ...(key && { tags: [{ key, name: tagName(fieldName) }] }) };
  }
}
