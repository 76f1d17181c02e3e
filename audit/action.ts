// What can be recorded: an action has a name and says of each of its fields whether it tells of a person. There is no
// class for secrets: they are not recorded.

/** `plain`: ids, roles, counts. `personal`: tells of a person (an address, a name): kept apart, so that it can be erased. */
export type FieldClass = "plain" | "personal";

export type FieldValue = string | number | boolean | null;

export interface AuditAction<F extends Record<string, FieldClass> = Record<string, FieldClass>> {
  /** `service.noun.verb` in the past tense: "auth.member.removed". */
  readonly name: string;
  readonly fields: F;
}

const NAME = /^[a-z]{1,40}(?:\.[a-z][a-z_]{0,40}){2}$/;

/** Declares an action. Throws at load when the name is not "service.noun.verb". */
export function defineAction<const F extends Record<string, FieldClass>>(name: string, fields: F): AuditAction<F> {
  if (!NAME.test(name)) throw new TypeError(`audit action "${name}" is not of the form service.noun.verb`);
  return Object.freeze({ name, fields: Object.freeze({ ...fields }) });
}

const TEXT_MAX = 1_000;

/** The fields of one class, as they are stored: texts bounded, half surrogates and NUL replaced, which cannot be stored as JSON in Postgres. */
export function fieldsOfClass(
  action: AuditAction,
  values: Readonly<Record<string, FieldValue>>,
  wanted: FieldClass,
): Record<string, FieldValue> {
  const found: Record<string, FieldValue> = {};
  for (const [name, fieldClass] of Object.entries(action.fields)) {
    if (fieldClass === wanted) found[name] = storable(values[name] ?? null);
  }
  return found;
}

const storable = (value: FieldValue): FieldValue =>
  typeof value === "string" ? Buffer.from(value.slice(0, TEXT_MAX)).toString().replaceAll("\0", "\ufffd") : value;
