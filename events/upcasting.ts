// Reading older versions: a consumer that handles version 2 of an event is given stored events of version 1 as events of
// version 2, by the upcaster of the newer definition. So an emitter writes the newest version only, and nothing is handled twice.
// Source: Young, "Versioning in an Event Sourced System" (upcasting).
import { catalog } from "./catalog";
import type { EventDefinition } from "./event";
import { UnfitEventError, type EventHandler, type ReceivedEvent } from "./received";

type Handlers = ReadonlyMap<string, EventHandler<unknown>>;

/** The handlers, and those of each older version that one of them can read and that has none of its own. */
export function withOlderVersions(
  handlers: Handlers,
  definitions: ReadonlyMap<string, EventDefinition> = catalog,
): Handlers {
  const all = new Map(handlers);
  for (const [key, handler] of handlers) {
    let { newer, handle } = { newer: definitions.get(key), handle: handler };
    while (newer?.upcast && !all.has(newer.upcast.from.key)) {
      handle = reading(newer, handle);
      all.set(newer.upcast.from.key, handle);
      newer = definitions.get(newer.upcast.from.key);
    }
  }
  return all;
}

function reading(newer: EventDefinition, handle: EventHandler<unknown>): EventHandler<unknown> {
  return (tx, older) => handle(tx, asNewer(newer, older));
}

/** Throws UnfitEventError when what the upcaster makes does not fit: no further attempt can mend it. */
function asNewer({ key, version, payload, upcast }: EventDefinition, older: ReceivedEvent<unknown>) {
  const read = payload.safeParse(upcast?.apply(older.payload));
  if (!read.success)
    throw new UnfitEventError("payload_invalid", `event ${older.type} ${older.id} as ${key}: ${read.error.message}`);
  return { ...older, version, payload: read.data };
}
