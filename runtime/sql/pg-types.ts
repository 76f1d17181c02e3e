// The types of Postgres this host knows by number, and the catalogue for those that a database adds
// (enums, vectors, domains). Names are Postgres' own; error texts spell them as the official runtime does.

export interface PgType {
  oid: number;
  /** As in pg_type.typname; arrays begin with an underscore. */
  name: string;
  kind: "base" | "enum" | "array" | "domain" | "composite" | "range" | "pseudo";
  schema: string;
  /** Element type of an array, base type of a domain, subtype of a range. */
  of?: number;
  /** Of an enum. */
  labels?: string[];
  /** Of a composite type. */
  fields?: { name: string; oid: number }[];
}

/** oid:name of the types that have a fixed number; `array` is the number of the type's array. */
const builtin: [oid: number, name: string, array: number][] = [
  [16, "bool", 1000],
  [17, "bytea", 1001],
  [18, "char", 1002],
  [19, "name", 1003],
  [20, "int8", 1016],
  [21, "int2", 1005],
  [23, "int4", 1007],
  [25, "text", 1009],
  [26, "oid", 1028],
  [114, "json", 199],
  [142, "xml", 143],
  [600, "point", 1017],
  [601, "lseg", 1018],
  [602, "path", 1019],
  [603, "box", 1020],
  [604, "polygon", 1027],
  [628, "line", 629],
  [650, "cidr", 651],
  [700, "float4", 1021],
  [701, "float8", 1022],
  [705, "unknown", 0],
  [718, "circle", 719],
  [774, "macaddr8", 775],
  [790, "money", 791],
  [829, "macaddr", 1040],
  [869, "inet", 1041],
  [1042, "bpchar", 1014],
  [1043, "varchar", 1015],
  [1082, "date", 1182],
  [1083, "time", 1183],
  [1114, "timestamp", 1115],
  [1184, "timestamptz", 1185],
  [1186, "interval", 1187],
  [1266, "timetz", 1270],
  [1560, "bit", 1561],
  [1562, "varbit", 1563],
  [1700, "numeric", 1231],
  [2205, "regclass", 2210],
  [2206, "regtype", 2211],
  [2249, "record", 2287],
  [2278, "void", 0],
  [2950, "uuid", 2951],
  [3220, "pg_lsn", 3221],
  [3614, "tsvector", 3643],
  [3615, "tsquery", 3645],
  [3802, "jsonb", 3807],
  [4072, "jsonpath", 4073],
];

/** Ranges, with their multiranges' arrays left to the catalogue. */
const ranges: [oid: number, name: string][] = [
  [3904, "int4range"],
  [3906, "numrange"],
  [3908, "tsrange"],
  [3910, "tstzrange"],
  [3912, "daterange"],
  [3926, "int8range"],
];

function builtinTypes(): Map<number, PgType> {
  const types = new Map<number, PgType>();
  for (const [oid, name, array] of builtin) {
    types.set(oid, { oid, name, kind: "base", schema: "pg_catalog" });
    if (array) types.set(array, { oid: array, name: `_${name}`, kind: "array", schema: "pg_catalog", of: oid });
  }
  for (const [oid, name] of ranges) types.set(oid, { oid, name, kind: "range", schema: "pg_catalog" });
  return types;
}

const fixed = builtinTypes();

/** Numbers below this are Postgres' own and never change. */
const firstNormalOid = 16384;

/** Answers a statement with rows of text. */
export type TypeQuery = (sql: string) => Promise<(string | null)[][]>;

const lookUp = `SELECT t.oid::text, t.typname, n.nspname, t.typtype::text, t.typbasetype::text, t.typelem::text, r.rngsubtype::text,
  (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
  (SELECT json_agg(json_build_object('name', a.attname, 'oid', a.atttypid::int8) ORDER BY a.attnum)::text
     FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND NOT a.attisdropped AND a.attnum > 0)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
WHERE t.oid IN`;

/** Types of one database. Filled as statements meet types that have no fixed number. */
export class TypeCatalog {
  readonly #types = new Map<number, PgType>();

  get(oid: number): PgType | undefined {
    return fixed.get(oid) ?? this.#types.get(oid);
  }

  /** Numbers that must be looked up before values of them can be read or written. */
  unknown(oids: Iterable<number>): number[] {
    return [...new Set(oids)].filter((oid) => oid !== 0 && !this.get(oid));
  }

  /** Looks types up, with the element and base types they lead to. */
  async load(oids: number[], query: TypeQuery): Promise<void> {
    for (let wanted = oids; wanted.length > 0;) {
      const found = (await query(`${lookUp} (${wanted.map(Number).join(",")})`)).map(typeOf);
      for (const type of found) this.#types.set(type.oid, type);
      for (const oid of wanted)
        if (!this.get(oid))
          this.#types.set(oid, {
            oid,
            name: `${oid}`,
            kind: "pseudo",
            schema: oid < firstNormalOid ? "pg_catalog" : "public",
          });
      wanted = this.unknown(
        found.flatMap((type) => [...(type.of ? [type.of] : []), ...(type.fields ?? []).map((field) => field.oid)]),
      );
    }
  }

  /** Forgets what DDL may have changed. */
  clear(): void {
    this.#types.clear();
  }
}

type Shape = Pick<PgType, "kind" | "of" | "labels" | "fields">;

/** What a type is made of, in the order in which the official runtime asks. */
function shapeOf([kind, base, element, subtype, labels, fields]: (string | null)[]): Shape {
  if (kind === "e") return { kind: "enum", labels: JSON.parse(labels ?? "[]") as string[] };
  if (kind === "p") return { kind: "pseudo" };
  if (Number(base)) return { kind: "domain", of: Number(base) };
  if (Number(element)) return { kind: "array", of: Number(element) };
  if (kind === "c") return { kind: "composite", fields: JSON.parse(fields ?? "[]") as { name: string; oid: number }[] };
  return subtype ? { kind: "range", of: Number(subtype) } : { kind: "base" };
}

function typeOf([oid, name, schema, ...shape]: (string | null)[]): PgType {
  return { oid: Number(oid), name: name ?? "", schema: schema ?? "", ...shapeOf(shape) };
}
