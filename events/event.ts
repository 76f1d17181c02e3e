// What an event is. A definition is a leaf: name, version and payload schema, nothing that runs, so that
// any service may import another's events without importing the service.
import type { z } from "zod";

export interface EventDefinition<Type extends string = string, Version extends number = number, Payload = unknown> {
  /** "<service>.<noun>.<past participle>", e.g. "auth.user.registered". */
  readonly type: Type;
  readonly version: Version;
  /** "<type>@<version>": what consumers and contract files are named by. */
  readonly key: `${Type}@${Version}`;
  readonly payload: z.ZodType<Payload>;
}

/** The payload type of a definition. */
export type PayloadOf<D> = D extends EventDefinition<string, number, infer Payload> ? Payload : never;

const TYPE_PATTERN = /^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/;

/** Declares an event. Throws at load when the type is not "<service>.<noun>.<verb>" or the version not a positive integer. */
export function defineEvent<const Type extends string, const Version extends number, Payload>(definition: {
  type: Type;
  version: Version;
  payload: z.ZodType<Payload>;
}): EventDefinition<Type, Version, Payload> {
  const { type, version, payload } = definition;
  if (!TYPE_PATTERN.test(type)) throw new TypeError(`event type "${type}" is not of the form service.noun.verb`);
  if (!Number.isInteger(version) || version < 1)
    throw new TypeError(`event ${type}: version ${version} is not a positive integer`);
  return Object.freeze({ type, version, key: `${type}@${version}` as const, payload });
}
