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
  /** How a stored event of the version before is read as one of this. */
  readonly upcast?: Upcaster<Payload>;
  readonly deprecated?: Deprecation;
}

/** Reads the version before as this one. Pure: it runs whenever a stored event is read, and may run again. */
export interface Upcaster<Payload = unknown> {
  readonly from: EventDefinition;
  readonly apply: (older: unknown) => Payload;
}

/**
 * Notice that a version ends. Until the day `until` it may still be emitted (`npm run gen` warns); after it the build refuses whoever
 * does. Its definition stays as long as events of it may be stored: see contract-gate/gate.ts.
 */
export interface Deprecation {
  /** YYYY-MM-DD, as `until`. */
  readonly since: string;
  readonly until: string;
  /** "<type>@<version>" of what is emitted instead; without one the event ends. */
  readonly successor?: string;
}

/** The payload type of a definition. */
export type PayloadOf<D> = D extends EventDefinition<string, number, infer Payload> ? Payload : never;

const TYPE_PATTERN = /^[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*$/;

/** `upcast: upcastFrom(documentReady, (older) => ({ ...older, chunks: 0 }))`. */
export function upcastFrom<Older, Payload>(
  from: EventDefinition<string, number, Older>,
  apply: (older: Older) => Payload,
): Upcaster<Payload> {
  return { from, apply: (older) => apply(older as Older) };
}

/** Declares an event. Throws at load when the type is not "<service>.<noun>.<verb>", the version not a positive integer, or the upcaster not of the version before. */
export function defineEvent<const Type extends string, const Version extends number, Payload>(definition: {
  type: Type;
  version: Version;
  payload: z.ZodType<Payload>;
  upcast?: Upcaster<Payload>;
  deprecated?: Deprecation;
}): EventDefinition<Type, Version, Payload> {
  const { type, version, upcast } = definition;
  if (!TYPE_PATTERN.test(type)) throw new TypeError(`event type "${type}" is not of the form service.noun.verb`);
  if (!Number.isInteger(version) || version < 1)
    throw new TypeError(`event ${type}: version ${version} is not a positive integer`);
  if (upcast && (upcast.from.type !== type || upcast.from.version !== version - 1))
    throw new TypeError(`event ${type}@${version}: its upcaster reads ${upcast.from.key}, not ${type}@${version - 1}`);
  return Object.freeze({ ...definition, key: `${type}@${version}` as const });
}
