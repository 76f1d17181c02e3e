// The types of Postgres this host knows by number, and the catalogue for those that a database adds
// (enums, vectors, domains). Names are Postgres' own; error texts spell them as the official runtime does.

export interface PgType {
  oid: number;
  /** As in pg_type.typname; arrays begin with an underscore. */
  name: string;
  kind: "base" | "enum" | "array" | "domain" | "composite" | "range" | "pseudo";
  schema: string;
  /** Element type of an array, base type of a domain. */
  of?: number;
}

/** oid:name of the types that have a fixed number; `array` is the number of the type's array. */
const builtin: [oid: number, name: string, array: number][] = [
  [16, "bool", 1000], [17, "bytea", 1001], [18, "char", 1002], [19, "name", 1003], [20, "int8", 1016], [21, "int2", 1005], [23, "int4", 1007],
  [25, "text", 1009], [26, "oid", 1028], [114, "json", 199], [142, "xml", 143], [600, "point", 1017], [601, "lseg", 1018], [602, "path", 1019],
  [603, "box", 1020], [604, "polygon", 1027], [628, "line", 629], [650, "cidr", 651], [700, "float4", 1021], [701, "float8", 1022], [705, "unknown", 0],
  [718, "circle", 719], [774, "macaddr8", 775], [790, "money", 791], [829, "macaddr", 1040], [869, "inet", 1041], [1042, "bpchar", 1014],
  [1043, "varchar", 1015], [1082, "date", 1182], [1083, "time", 1183], [1114, "timestamp", 1115], [1184, "timestamptz", 1185], [1186, "interval", 1187],
  [1266, "timetz", 1270], [1560, "bit", 1561], [1562, "varbit", 1563], [1700, "numeric", 1231], [2205, "regclass", 2210], [2206, "regtype", 2211],
  [2249, "record", 2287], [2278, "void", 0], [2950, "uuid", 2951], [3220, "pg_lsn", 3221], [3614, "tsvector", 3643], [3615, "tsquery", 3645],
  [3802, "jsonb", 3807], [4072, "jsonpath", 4073],
];

/** Ranges, with their multiranges' arrays left to the catalogue. */
const ranges: [oid: number, name: string][] = [[3904, "int4range"], [3906, "numrange"], [3908, "tsrange"], [3910, "tstzrange"], [3912, "daterange"], [3926, "int8range"]];

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

/** Answers a statement with the columns oid, name, typtype, schema, of as text. */
export type TypeQuery = (sql: string) => Promise<(string | null)[][]>;

const kinds: Record<string, PgType["kind"]> = { b: "base", e: "enum", d: "domain", c: "composite", r: "range", m: "range", p: "pseudo" };

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
    for (let wanted = oids; wanted.length > 0; ) {
      const rows = await query(
        `SELECT t.oid::text, t.typname, CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN 'array' ELSE t.typtype::text END, n.nspname, ` +
          `CASE WHEN t.typtype = 'd' THEN t.typbasetype::text ELSE t.typelem::text END ` +
          `FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (${wanted.map(Number).join(",")})`,
      );
      const found = rows.map(([oid, name, kind, schema, of]) => typeOf(Number(oid), name ?? "", kind ?? "b", schema ?? "", Number(of)));
      for (const type of found) this.#types.set(type.oid, type);
      for (const oid of wanted) if (!this.get(oid)) this.#types.set(oid, { oid, name: `${oid}`, kind: "pseudo", schema: oid < firstNormalOid ? "pg_catalog" : "public" });
      wanted = this.unknown(found.flatMap((type) => (type.of ? [type.of] : [])));
    }
  }

  /** The type itself, or for a domain the type it stands on. */
  base(oid: number): PgType | undefined {
    const type = this.get(oid);
    return type?.kind === "domain" && type.of ? this.base(type.of) : type;
  }

  /** Forgets what DDL may have changed. */
  clear(): void {
    this.#types.clear();
  }
}

function typeOf(oid: number, name: string, kind: string, schema: string, of: number): PgType {
  const known = kind === "array" ? "array" : (kinds[kind] ?? "pseudo");
  return { oid, name, kind: known, schema, ...(of && (known === "array" || known === "domain") ? { of } : {}) };
}
