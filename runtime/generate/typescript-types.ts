// The model's types as TypeScript for a client: what stands in JSON, so a date is its ISO text and a decimal its digits.
// Each service's types are a namespace of its name; those of no service are in `shared`.
import type { AppModel, BuiltinName, Decl, Field, Schema } from "../model";
import { identifier } from "./code";

const BUILTINS: Record<BuiltinName, string> = {
  string: "string",
  float64: "number",
  int: "number",
  bool: "boolean",
  decimal: "string",
  time: "string",
  user_id: "string",
  any: "unknown",
  json: "JSONValue",
};

const RESERVED = new Set([
  "break",
  "case",
  "catch",
  "class",
  "const",
  "continue",
  "default",
  "delete",
  "do",
  "else",
  "enum",
  "export",
  "extends",
  "false",
  "finally",
  "for",
  "function",
  "if",
  "import",
  "in",
  "instanceof",
  "new",
  "null",
  "package",
  "private",
  "protected",
  "public",
  "return",
  "static",
  "super",
  "switch",
  "this",
  "throw",
  "true",
  "try",
  "typeof",
  "var",
  "void",
  "while",
  "with",
  "yield",
  // Operators in front of a type: a qualified name cannot begin with them.
  "infer",
  "keyof",
  "readonly",
  "unique",
  "arguments",
  "await",
  "eval",
  "globalThis",
  "implements",
  "interface",
  "let",
  "undefined",
]);

/** Name of a service's namespace. */
export const namespaceOf = (service: string): string => (RESERVED.has(service) ? `${service}_` : identifier(service));

export const propertyKey = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

/** A key in a literal: `__proto__` would be its prototype. */
export const literalKey = (name: string): string => (name === "__proto__" ? `["__proto__"]` : propertyKey(name));

/** Access to a property of `object`, never to what every object inherits. */
export function member(object: string, name: string): string {
  if (name in Object.prototype) return `own(${object}, ${JSON.stringify(name)})`;
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${object}.${name}` : `${object}[${JSON.stringify(name)}]`;
}

/** Whether a name is one of the language's: not for a variable, a parameter or a namespace. */
export const isReserved = (name: string): boolean => RESERVED.has(name);

/** Type names that the generated text itself uses inside of namespaces. */
const USED_TYPES = /^(?:Record|JSONValue|T\d+)$/;

export function docComment(doc: string | undefined, indent: string): string {
  if (doc === undefined || doc.trim() === "") return "";
  const lines = doc.trim().replaceAll("*/", "*\\/").split("\n");
  if (lines.length === 1) return `${indent}/** ${lines[0] ?? ""} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd() + "\n").join("")}${indent} */\n`;
}

/** Highest type parameter of a type, -1 when it has none. */
function lastParameter(schema: Schema): number {
  switch (schema.kind) {
    case "typeParameter":
      return schema.index;
    case "struct":
      return Math.max(-1, ...schema.fields.map((field) => lastParameter(field.type)));
    case "map":
      return Math.max(lastParameter(schema.key), lastParameter(schema.value));
    case "list":
      return lastParameter(schema.elem);
    case "union":
      return Math.max(-1, ...schema.types.map(lastParameter));
    case "option":
      return lastParameter(schema.value);
    case "named":
      return Math.max(-1, ...(schema.args ?? []).map(lastParameter));
    case "builtin":
    case "literal":
      return -1;
  }
}

export class TypeTexts {
  /** Declared name in the client, `namespace.Name`, by id. */
  readonly #names = new Map<string, string>();
  readonly #namespaces = new Map<string, { name: string; decl: Decl }[]>();

  constructor(readonly model: AppModel) {}

  /** The type as an expression; the declarations that it names are remembered for `declarations`. */
  of(schema: Schema): string {
    switch (schema.kind) {
      case "builtin":
        return BUILTINS[schema.name];
      case "literal":
        return JSON.stringify(schema.value);
      case "struct":
        return schema.fields.length
          ? `{ ${schema.fields.map((field) => this.#field(field)).join("; ")} }`
          : "Record<string, never>";
      case "map":
        return `Record<string, ${this.of(schema.value)}>`;
      case "list":
        return this.#list(schema.elem);
      case "union":
        return schema.types.map((type) => this.of(type)).join(" | ") || "never";
      case "option":
        return `${this.of(schema.value)} | null`;
      case "named":
        return this.#reference(schema);
      case "typeParameter":
        return `T${schema.index}`;
    }
  }

  /** Namespaces with everything that was named so far, and what that names in turn. */
  declarations(): string {
    const texts = new Map<string, string[]>();
    for (let grown = true; grown;) {
      grown = false;
      for (const [namespace, entries] of this.#namespaces) {
        const written = texts.get(namespace) ?? [];
        texts.set(namespace, written);
        for (const entry of entries.slice(written.length)) {
          written.push(this.#declaration(entry.name, entry.decl));
          grown = true;
        }
      }
    }
    return [...texts]
      .map(([namespace, written]) => `export namespace ${namespace} {\n${written.join("\n")}}\n`)
      .join("\n");
  }

  #list(elem: Schema): string {
    const text = this.of(elem);
    return elem.kind === "union" || elem.kind === "option" ? `(${text})[]` : `${text}[]`;
  }

  #field({ name, optional, type }: Field): string {
    return `${propertyKey(name)}${optional ? "?" : ""}: ${this.of(type)}`;
  }

  #declaration(name: string, { type, doc }: Decl): string {
    const last = lastParameter(type);
    const parameters = last < 0 ? "" : `<${Array.from({ length: last + 1 }, (_, index) => `T${index}`).join(", ")}>`;
    const head = docComment(doc, "  ");
    if (type.kind !== "struct") return `${head}  export type ${name}${parameters} = ${this.of(type)};\n`;
    const fields = type.fields.map((field) => `${docComment(field.doc, "    ")}    ${this.#field(field)};\n`);
    return `${head}  export interface ${name}${parameters} {\n${fields.join("")}  }\n`;
  }

  #reference({ id, args }: Extract<Schema, { kind: "named" }>): string {
    const decl = this.model.decls[id];
    if (!decl) return "unknown";
    const name = this.#names.get(id) ?? this.#declare(decl);
    const used = lastParameter(decl.type) + 1;
    return used === 0
      ? name
      : `${name}<${Array.from({ length: used }, (_, i) => (args?.[i] ? this.of(args[i]) : "unknown")).join(", ")}>`;
  }

  #declare(decl: Decl): string {
    const namespace = this.#home(decl.place.file);
    const entries = this.#namespaces.get(namespace) ?? [];
    this.#namespaces.set(namespace, entries);
    const taken = new Set(entries.map((entry) => entry.name));
    const base = USED_TYPES.test(decl.name) ? `${decl.name}_` : decl.name;
    let name = base;
    for (let i = 2; taken.has(name); i++) name = `${base}_${i}`;
    entries.push({ name, decl });
    this.#names.set(decl.id, `${namespace}.${name}`);
    return `${namespace}.${name}`;
  }

  /** The service whose folder holds the file, the innermost when there are several. */
  #home(file: string): string {
    const homes = this.model.services.filter(({ folder }) => folder !== "" && file.startsWith(`${folder}/`));
    const home =
      homes.sort((a, b) => b.folder.length - a.folder.length)[0] ??
      this.model.services.find(({ folder }) => folder === "");
    return home && !file.includes("node_modules/") ? namespaceOf(home.name) : "shared";
  }
}
