// Every event there is. A new domain adds its leaf here; consumers are typed by this list and the contract
// gate reads it.
import type { EventDefinition, PayloadOf } from "../event";
import * as ai from "./ai";
import * as assets from "./assets";
import * as auth from "./auth";
import * as records from "./records";
import * as sagas from "./sagas";
import * as vectors from "./vectors";
import * as webhooks from "./webhooks";

const domains = { ...ai, ...assets, ...auth, ...records, ...sagas, ...vectors, ...webhooks };

type AnyEvent = (typeof domains)[keyof typeof domains];

/** "<type>@<version>" of every event in the catalogue. */
export type EventKey = AnyEvent["key"];
export type PayloadOfKey<K extends EventKey> = PayloadOf<Extract<AnyEvent, { key: K }>>;

/** The definitions by key. Throws at load when two share one. */
export const catalog: ReadonlyMap<string, EventDefinition> = indexByKey(Object.values(domains));

function indexByKey(definitions: readonly EventDefinition[]): Map<string, EventDefinition> {
  const byKey = new Map<string, EventDefinition>();
  for (const definition of definitions) {
    if (byKey.has(definition.key)) throw new TypeError(`event ${definition.key} is defined twice`);
    byKey.set(definition.key, definition);
  }
  return byKey;
}
