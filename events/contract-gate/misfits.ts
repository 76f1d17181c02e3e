// What may be written that cannot be read: the values that fit one schema (the writer's) and not another (the reader's).
// Asked in both directions it is the gate's rule (compatibility.ts). It is a proof by structure: where it cannot tell, it
// finds a misfit, so that what passes fits.
import type { JsonSchema } from "../contracts";
import { alternativesOf, canonical, type Alternative } from "./alternatives";
import { numberMisfits, stringMisfits } from "./bounds";
import { shown, type Misfit } from "./misfit";

/** Values named in one sentence. */
const VALUES_MAX_NAMED = 5;

export interface Reading {
  readonly written: JsonSchema;
  readonly read: JsonSchema;
  /** Whether the reader is the newer one: then fields that it does not know any more are lost. */
  readonly isStored: boolean;
}

/** Everything in `written` that does not fit `read`. */
export function misfitsOf(reading: Reading): Misfit[] {
  return new Comparison(reading).schemas(reading.written, reading.read, "payload");
}

class Comparison {
  /** Pairs that are being compared: what refers to itself fits if nothing else is found. */
  private readonly underWay = new Map<unknown, Set<unknown>>();

  constructor(private readonly reading: Reading) {}

  schemas(written: unknown, read: unknown, path: string): Misfit[] {
    const partners = this.underWay.get(written) ?? new Set();
    if (partners.has(read) && typeof written === "object") return [];
    this.underWay.set(written, partners.add(read));
    try {
      const offered = alternativesOf(written, this.reading.written);
      const accepted = alternativesOf(read, this.reading.read);
      return [...this.values(offered, accepted, path), ...this.others(offered, accepted, path)];
    } finally {
      partners.delete(read);
    }
  }

  /** Named values are complained of together. */
  private values(offered: readonly Alternative[], accepted: readonly Alternative[], path: string): Misfit[] {
    const refused = offered.filter(
      (each) => isValue(each) && !accepted.some((reader) => this.pair(each, reader, path).length === 0),
    );
    if (refused.length === 0) return [];
    const names = refused.slice(0, VALUES_MAX_NAMED).map(({ value }) => shown(value ?? null));
    const more = refused.length > names.length ? ` (and ${refused.length - names.length} more)` : "";
    return [{ path, rule: "refused", detail: `${names.join(" or ")}${more}` }];
  }

  private others(offered: readonly Alternative[], accepted: readonly Alternative[], path: string): Misfit[] {
    return offered
      .filter((each) => !isValue(each))
      .flatMap((each) => {
        const tries = accepted.map((reader) => ({ reader, misfits: this.pair(each, reader, path) }));
        if (tries.some(({ misfits }) => misfits.length === 0)) return [];
        if (each.kind === "boolean" && ["true", "false"].every((v) => hasValue(accepted, v))) return [];
        const nearest = nearestOf(each, accepted, offered.length + accepted.length > 2);
        return tries.find(({ reader }) => reader === nearest)?.misfits ?? [refused(path, each)];
      });
  }

  private pair(written: Alternative, read: Alternative, path: string): Misfit[] {
    if (read.kind === "any") return [];
    if (written.kind === "opaque" || read.kind === "opaque")
      return canonical(written) === canonical(read) ? [] : [{ path, rule: "opaque", detail: "" }];
    if (written.kind === "value") return this.value(written.value, read, path);
    if (written.kind !== read.kind) return [refused(path, written)];
    switch (written.kind) {
      case "string":
        return stringMisfits(written.schema, read.schema, path);
      case "number":
        return numberMisfits(written.schema, read.schema, path);
      case "array":
        return this.arrays(written.schema, read.schema, path);
      case "object":
        return this.objects(written.schema, read.schema, path);
      default:
        return [];
    }
  }

  private value(value: unknown, read: Alternative, path: string): Misfit[] {
    const misfit: Misfit[] = [{ path, rule: "refused", detail: shown(value) }];
    if (read.kind === "value") return canonical(value) === canonical(read.value) ? [] : misfit;
    if (typeof value !== read.kind) return misfit;
    if (typeof value === "number") {
      const whole = Number.isInteger(value) ? "integer" : "number";
      const multipleOf = value === 0 ? read.schema.multipleOf : Math.abs(value);
      return numberMisfits({ type: whole, minimum: value, maximum: value, multipleOf }, read.schema, path);
    }
    if (typeof value !== "string") return [];
    return stringMisfits({ minLength: value.length, maxLength: value.length }, read.schema, path);
  }

  private arrays(written: JsonSchema, read: JsonSchema, path: string): Misfit[] {
    const found: Misfit[] = [];
    const [least, most] = [Number(written.minItems ?? 0), Number(written.maxItems ?? Infinity)];
    if (least < Number(read.minItems ?? 0))
      found.push({ path, rule: "refused", detail: `shorter than ${String(read.minItems)} items` });
    if (most > Number(read.maxItems ?? Infinity))
      found.push({ path, rule: "refused", detail: `longer than ${String(read.maxItems)} items` });
    if (read.uniqueItems === true && written.uniqueItems !== true)
      found.push({ path, rule: "refused", detail: "a list with the same item twice" });
    const [places, readPlaces] = [placesOf(written), placesOf(read)];
    const count = Math.max(places.length, readPlaces.length);
    for (let place = 0; place < count && place < most; place++)
      found.push(...this.schemas(places[place] ?? written.items, readPlaces[place] ?? read.items, `${path}[${place}]`));
    if (most > count) found.push(...this.schemas(written.items, read.items, `${path}[]`));
    return found;
  }

  private objects(written: JsonSchema, read: JsonSchema, path: string): Misfit[] {
    const [offered, known] = [propertiesOf(written), propertiesOf(read)];
    const [given, needed] = [requiredOf(written), requiredOf(read)];
    const found = Object.keys(offered).flatMap((name) => this.property(offered, known, read, name, path));
    for (const name of needed) {
      const isFilledIn = !this.reading.isStored && Object.hasOwn(offered, name) && hasDefault(offered[name]);
      if (!given.includes(name) && !isFilledIn)
        found.push({ path: `${path}.${name}`, rule: "absent", detail: "absent" });
    }
    found.push(...this.additional(written, read, path));
    if (written.propertyNames !== undefined || read.propertyNames !== undefined)
      found.push(...this.schemas(written.propertyNames, read.propertyNames, `${path}.* (its name)`));
    for (const bound of ["minProperties", "maxProperties"] as const)
      if (read[bound] !== undefined && read[bound] !== written[bound])
        found.push({ path, rule: "refused", detail: `outside of ${bound} ${String(read[bound])}` });
    return found;
  }

  private property(offered: Properties, known: Properties, read: JsonSchema, name: string, path: string): Misfit[] {
    const field = `${path}.${name}`;
    const schema = offered[name];
    if (Object.hasOwn(known, name)) {
      const misfits = this.schemas(schema, known[name], field);
      if (this.reading.isStored && hasDefault(schema) && canonicalDefault(schema) !== canonicalDefault(known[name]))
        misfits.push({ path: field, rule: "default", detail: canonicalDefault(schema) });
      return misfits;
    }
    if (read.additionalProperties === false) return [{ path: field, rule: "undeclared", detail: "present" }];
    if (isSchema(read.additionalProperties)) return this.schemas(schema, read.additionalProperties, field);
    // Declared by nobody any more: a later field of the name could be anything, and what is stored in it is passed over.
    return this.reading.isStored ? [{ path: field, rule: "removed", detail: "present" }] : [];
  }

  /** Fields that the writer does not name. By default it writes none: `emit` strips them. */
  private additional(written: JsonSchema, read: JsonSchema, path: string): Misfit[] {
    const open = written.additionalProperties;
    // Closed and then open would let a field through, a change later, that consumers of today refuse.
    if (open === undefined && read.additionalProperties === false)
      return [{ path: `${path}.*`, rule: "undeclared", detail: "present" }];
    if (open === undefined || open === false) return [];
    const [offered, known] = [propertiesOf(written), propertiesOf(read)];
    const found = Object.keys(known)
      .filter((name) => !Object.hasOwn(offered, name))
      .flatMap((name) => this.schemas(open, known[name], `${path}.${name}`));
    if (read.additionalProperties === false)
      return [...found, { path: `${path}.*`, rule: "undeclared", detail: "present" }];
    if (read.additionalProperties === undefined)
      return this.reading.isStored ? [...found, { path: `${path}.*`, rule: "removed", detail: "present" }] : found;
    return [...found, ...this.schemas(open, read.additionalProperties, `${path}.*`)];
  }
}

type Properties = Readonly<Record<string, JsonSchema>>;

const isValue = ({ kind, value }: Alternative): boolean => kind === "value" || (kind === "null" && value === null);
const hasValue = (accepted: readonly Alternative[], text: string): boolean =>
  accepted.some(({ kind, value }) => kind === "value" && String(value) === text);
const isSchema = (value: unknown): boolean => value === true || (typeof value === "object" && value !== null);
const propertiesOf = (schema: JsonSchema): Properties => (schema.properties ?? {}) as Properties;
const requiredOf = (schema: JsonSchema): readonly string[] => (schema.required ?? []) as readonly string[];
const placesOf = (schema: JsonSchema): readonly unknown[] => (schema.prefixItems ?? []) as readonly unknown[];
const hasDefault = (schema: JsonSchema | undefined): boolean =>
  schema !== undefined && Object.hasOwn(schema, "default");
const canonicalDefault = (schema: JsonSchema | undefined): string =>
  hasDefault(schema) ? canonical(schema?.default) : "nothing";

const KIND_NAMES = { any: "anything", array: "a list", object: "an object", null: "null" } as const;

function refused(path: string, { kind, schema }: Alternative): Misfit {
  if (kind === "opaque") return { path, rule: "opaque", detail: "" };
  const tag = kind === "object" ? tagsOf(schema)[0] : undefined;
  const name = Object.hasOwn(KIND_NAMES, kind) ? KIND_NAMES[kind as keyof typeof KIND_NAMES] : `a ${kind}`;
  return { path, rule: "refused", detail: tag === undefined ? name : `an object with ${tag}` };
}

/** What the writer's alternative is measured by: the reader's of the same kind and, among several objects, of the same tag. */
function nearestOf(written: Alternative, accepted: readonly Alternative[], isUnion: boolean): Alternative | undefined {
  const alike = accepted.filter(({ kind }) => kind === written.kind || kind === "opaque");
  const tags = tagsOf(written.schema);
  if (!isUnion || tags.length === 0) return alike[0];
  return alike.find(({ kind, schema }) => kind === "opaque" || tagsOf(schema).some((tag) => tags.includes(tag)));
}

/** `kind "circle"`: the fields of an object that have one value only. */
function tagsOf(schema: JsonSchema): string[] {
  return Object.entries(propertiesOf(schema)).flatMap(([name, field]) =>
    Object.hasOwn(field, "const") ? [`${name} ${shown(field.const)}`] : [],
  );
}
