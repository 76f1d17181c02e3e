// Which handler reads a stored event of an older version.
import { expect, test } from "vitest";
import { z } from "zod";
import type { Tx } from "../../db/tenant";
import { defineEvent, upcastFrom, type EventDefinition } from "../event";
import type { EventHandler, ReceivedEvent } from "../received";
import { withOlderVersions } from "../upcasting";

const type = "test.person.named";
const first = defineEvent({ type, version: 1, payload: z.object({ name: z.string() }) });
const second = defineEvent({
  type,
  version: 2,
  payload: z.object({ words: z.array(z.string()) }),
  upcast: upcastFrom(first, ({ name }) => ({ words: name.split(" ") })),
});
const third = defineEvent({
  type,
  version: 3,
  payload: z.object({ family: z.string() }),
  upcast: upcastFrom(second, ({ words }) => ({ family: words.at(-1) ?? "" })),
});
const definitions = new Map<string, EventDefinition>([first, second, third].map((each) => [each.key, each]));

const tx = {} as Tx;
const stored = (version: number, payload: unknown) => ({ type, version, payload }) as ReceivedEvent<unknown>;

test("each older version goes to the handler of the nearest newer one, and none past a handler of its own", async () => {
  const seen: [string, unknown][] = [];
  const noting =
    (by: string): EventHandler<unknown> =>
    async (_tx, { version, payload }) =>
      void seen.push([`${by} ${version}`, payload]);
  // In either order of declaration.
  for (const keys of [
    [third.key, second.key],
    [second.key, third.key],
  ]) {
    const handlers = withOlderVersions(new Map(keys.map((key) => [key, noting(key)])), definitions);
    await handlers.get(third.key)?.(tx, stored(3, { family: "Lovelace" }));
    await handlers.get(second.key)?.(tx, stored(2, { words: ["Ada", "Lovelace"] }));
    await handlers.get(first.key)?.(tx, stored(1, { name: "Ada Lovelace" }));
    expect(seen.splice(0)).toEqual([
      ["test.person.named@3 3", { family: "Lovelace" }],
      ["test.person.named@2 2", { words: ["Ada", "Lovelace"] }],
      ["test.person.named@2 2", { words: ["Ada", "Lovelace"] }],
    ]);
  }
});
