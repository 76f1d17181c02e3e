// Message text → the values a handler gets: dates are Dates, decimals Decimals, unknown fields are dropped, and
// what does not fit the topic's type is refused with the path of the first misfit.
import type { Host } from "../host";
import type { BuiltinName, Schema } from "../model";

type Decode = (value: unknown, path: string) => unknown;

class MisfitError extends Error {
  constructor(path: string, expected: string, value: unknown) {
    super(`the message does not fit the topic's type: ${path || "message"}: expected ${expected}, got ${value === null ? "null" : typeof value}`);
    this.name = "MisfitError";
  }
}

class SchemaDecoder {
  readonly #host: Pick<Host, "model" | "newDecimal">;

  constructor(host: Pick<Host, "model" | "newDecimal">) {
    this.#host = host;
  }

  compile(schema: Schema, args: Schema[] = []): Decode {
    switch (schema.kind) {
      case "builtin":
        return this.#builtin(schema.name);
      case "literal":
        return (value, path) => (value === schema.value ? value : misfit(path, JSON.stringify(schema.value), value));
      case "struct":
        return this.#struct(schema, args);
      case "map":
        return this.#map(this.compile(schema.value, args));
      case "list":
        return this.#list(this.compile(schema.elem, args));
      case "option": {
        const inner = this.compile(schema.value, args);
        return (value, path) => (value === undefined ? undefined : inner(value, path));
      }
      case "union":
        return this.#union(schema.types.map((type) => this.compile(type, args)));
      case "named":
        return this.#named(schema, args);
      case "typeParameter":
        return this.compile(args[schema.index] ?? { kind: "builtin", name: "any" });
    }
  }

  #builtin(name: BuiltinName): Decode {
    switch (name) {
      case "string":
      case "user_id":
        return (value, path) => (typeof value === "string" ? value : misfit(path, "a string", value));
      case "bool":
        return (value, path) => (typeof value === "boolean" ? value : misfit(path, "a boolean", value));
      case "float64":
      case "int":
        return (value, path) => (typeof value === "number" ? value : misfit(path, "a number", value));
      case "time":
        return (value, path) => (typeof value === "string" && !Number.isNaN(Date.parse(value)) ? new Date(value) : misfit(path, "a date-time", value));
      case "decimal":
        return (value, path) => (typeof value === "string" ? this.#host.newDecimal(value) : misfit(path, "a decimal", value));
      case "any":
      case "json":
        return (value) => value;
    }
  }

  #struct(schema: Schema & { kind: "struct" }, args: Schema[]): Decode {
    const fields = schema.fields.map((field) => ({ name: field.name, optional: field.optional, decode: this.compile(field.type, args) }));
    return (value, path) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return misfit(path, "an object", value);
      const result: Record<string, unknown> = {};
      for (const { name, optional, decode } of fields) {
        const field = (value as Record<string, unknown>)[name];
        if (field === undefined && optional) continue;
        result[name] = decode(field, path ? `${path}.${name}` : name);
      }
      return result;
    };
  }

  #map(decode: Decode): Decode {
    return (value, path) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return misfit(path, "an object", value);
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item, `${path}.${key}`)]));
    };
  }

  #list(decode: Decode): Decode {
    return (value, path) => (Array.isArray(value) ? value.map((item, index) => decode(item, `${path}[${index}]`)) : misfit(path, "an array", value));
  }

  #union(decoders: Decode[]): Decode {
    return (value, path) => {
      for (const decode of decoders) {
        try {
          return decode(value, path);
        } catch (error) {
          if (!(error instanceof MisfitError)) throw error;
        }
      }
      return misfit(path, "one of the union's types", value);
    };
  }

  /** Compiled when first used, because types may recurse. */
  #named(schema: Schema & { kind: "named" }, args: Schema[]): Decode {
    let decode: Decode | undefined;
    const given = schema.args?.map((arg) => (arg.kind === "typeParameter" ? (args[arg.index] ?? arg) : arg));
    return (value, path) => {
      decode ??= this.compile(this.#host.model.decls[schema.id]?.type ?? { kind: "builtin", name: "any" }, given);
      return decode(value, path);
    };
  }
}

function misfit(path: string, expected: string, value: unknown): never {
  throw new MisfitError(path, expected, value);
}

/** Reader of message texts of type `schema`; every call gives fresh values. */
export function createDecode(host: Pick<Host, "model" | "newDecimal">, schema: Schema): (text: string) => unknown {
  const decode = new SchemaDecoder(host).compile(schema);
  return (text) => decode(JSON.parse(text) as unknown, "");
}
