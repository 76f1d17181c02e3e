// Part of every-endpoint.pg.test.ts and, in a short form, of every-endpoint.test.ts, whose app it shares. What belongs to somebody else
// answers as what does not exist, byte for byte: every place of the app's model that takes an id is asked for each thing of
// another organisation, and of a colleague, and for one that nobody has. Their times: bench/foreign-and-missing.
import { readFileSync } from "node:fs";
import { validate as isUuid } from "uuid";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { AppModel } from "../../model";
import { Asker, comparable, missingId } from "./support/pairs/asker";
import { describeSlot, slotsOf, type Slot } from "./support/pairs/slots";
import { makeSender } from "./support/pairs/sender";
import { call, makePairWorld, PERSONAL, type PairWorld } from "./support/pairs/world";
import type { Document } from "./support/fuzz/openapi";
import { createRandom, shuffled } from "./support/fuzz/random";

const LANES = 8;

const root = new URL("../../../", import.meta.url);

interface Finding {
  place: string;
  /** Of a list, which is then empty. */
  isFilter: boolean;
  /** Of an answer about what nobody has. */
  status: number;
  /** A line for each thing that answered otherwise. */
  differences: string[];
}

/** Asks in one place for each of the things and for what nobody has. */
async function compare(asker: Asker, slot: Slot, things: [kind: string, id: string][]): Promise<Finding> {
  const place = `${asker.person.email}: ${describeSlot(slot)}`;
  const answered = async (id: string): Promise<string> => comparable(await asker.ask(slot, id));
  const { status } = await asker.prepare(slot);
  const missing = await answered(missingId());
  const differences: string[] = [];
  for (const [kind, id] of things) {
    const [foreign, none] = [await answered(id), isUuid(id) ? missing : await answered(missingId(id))];
    if (foreign !== none) differences.push(`${place}, the ${kind}: ${foreign}\n    and a missing one: ${none}`);
  }
  return { place, isFilter: slot.isFilter ?? false, status, differences };
}

interface Shared {
  baseUrl: () => string;
  /** What can't be made by asking the app for it. */
  plant: (world: PairWorld) => Promise<void>;
  /** As `makePairWorld` has it. */
  mailed?: (email: string) => Promise<string>;
  /** Things that each place is asked for, drawn by the seed; all, if not given. */
  draw?: { things: number; seed: number };
}

export function foreignAndMissing({ baseUrl, plant, mailed, draw }: Shared): void {
  describe("what belongs to somebody else", () => {
    const document = JSON.parse(readFileSync(new URL("docs/openapi.json", root), "utf8")) as Document;
    let world: PairWorld;

    const { send, closeSender } = makeSender(baseUrl);
    afterAll(closeSender);

    beforeAll(async () => {
      world = await makePairWorld(send, "bytes", mailed);
      await plant(world);
    });

    const drawn = draw === undefined ? "" : ` (${draw.things} things in each place, seed ${draw.seed})`;

    test(`answers as what does not exist, byte for byte, whatever is asked for by its id${drawn}`, async () => {
      const slots = slotsOf(
        document,
        JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel,
      );
      expect(slots.length).toBeGreaterThan(30);
      const all = Object.entries(world.things);
      const personal = all.filter(([kind]) => PERSONAL.includes(kind));
      const random = createRandom(draw?.seed ?? 0);
      const some = <T>(things: T[]): T[] => (draw ? shuffled([...things], random).slice(0, draw.things) : things);
      const stranger = new Asker(send, document, world.stranger);
      const colleague = new Asker(send, document, world.colleague);
      const asked = slots.flatMap((slot) => [
        compare.bind(undefined, stranger, slot, some(all)),
        compare.bind(undefined, colleague, slot, some(personal)),
      ]);
      const findings: Finding[] = [];
      // A few at a time: a machine that is busy sheds what is asked at once (503), which tells of nothing.
      const lane = async (): Promise<void> => {
        for (let next = asked.pop(); next !== undefined; next = asked.pop()) findings.push(await next());
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      const told = findings.flatMap(({ differences }) => differences);
      expect(told).toEqual([]);
      // Who owns an organisation gets as far as the look for the thing everywhere but at operators' endpoints; where a member
      // may not act, that is said first.
      const passedOver = findings.filter(({ status, isFilter }) => status !== (isFilter ? 200 : 404));
      expect(passedOver.filter(({ status }) => status !== 403)).toEqual([]);
      const closed = passedOver.filter(({ place }) => place.startsWith(world.stranger.email));
      expect(closed.map(({ place }) => place).filter((place) => !/ \/(?:operator|console\/api)\//.test(place))).toEqual(
        [],
      );
      expect(findings.length - passedOver.length).toBeGreaterThan(50);
    });

    test("is still there, as it was", async () => {
      const { owner, things } = world;
      await call(send, "GET", `/vectors/documents/${things.document}`, undefined, owner);
      await call(send, "GET", `/assets/${things.asset}/content`, undefined, owner);
      await call(send, "GET", `/tasks/${things.task}`, undefined, owner);
      for (const [path, list, count] of [
        ["/auth/sessions", "sessions", 1],
        ["/auth/api-keys", "keys", 1],
        ["/auth/invitations", "invitations", 1],
        ["/auth/members", "members", 2],
        ["/secrets", "secrets", 1],
      ] as const) {
        const answer = await call<Record<string, unknown[]>>(send, "GET", path, undefined, owner);
        expect(answer[list], path).toHaveLength(count);
      }
    });
  });
}
