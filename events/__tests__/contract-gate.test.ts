// The gate over contracts: what it lets through is safe for stored events and for consumers of yesterday, what it refuses
// it refuses with the reason.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { breakingChanges } from "../contract-gate/compatibility";
import { refusals } from "../contract-gate/gate";
import { samplesOf } from "../contract-gate/samples";
import { contractOf, type JsonSchema } from "../contracts";
import { defineEvent, upcastFrom, type EventDefinition } from "../event";
import { schemaChanges } from "./schema-changes";

describe("a contract may change", () => {
  it.each(schemaChanges.filter(({ reasons }) => reasons.length === 0).map((change) => [change.what, change] as const))(
    "by %s",
    (_what, { from, to }) => {
      expect(breakingChanges(from, to)).toEqual([]);
    },
  );
});

describe("a contract may not change", () => {
  it.each(schemaChanges.filter(({ reasons }) => reasons.length > 0).map((change) => [change.what, change] as const))(
    "by %s",
    (_what, { from, to, reasons }) => {
      const found = breakingChanges(from, to);
      expect(found.map((sentence, index) => sentence.startsWith(reasons[index] ?? "no other") || sentence)).toEqual(
        reasons.map(() => true),
      );
    },
  );
});

const first = defineEvent({
  type: "a.b.c",
  version: 1,
  payload: z.object({ name: z.string(), note: z.string().optional() }),
});
const renamed = z.object({ title: z.string().min(1), lines: z.array(z.string()) });
const second = (upcast?: Parameters<typeof upcastFrom<{ name: string; note?: string | undefined }, unknown>>[1]) =>
  defineEvent({
    type: "a.b.c",
    version: 2,
    payload: renamed,
    ...(upcast && { upcast: upcastFrom(first, upcast) as never }),
  });
const good = second(({ name, note }) => ({ title: name || "nameless", lines: note === undefined ? [] : [note] }));

const byKey = (...definitions: EventDefinition[]) =>
  new Map(definitions.map((definition) => [definition.key, definition]));
const committedOf = (...definitions: EventDefinition[]): Map<string, JsonSchema> =>
  new Map(definitions.map((definition) => [definition.key, contractOf(definition)]));
const judged = (committed: EventDefinition[], catalog: EventDefinition[], today = "2026-06-01") =>
  refusals({ committed: committedOf(...committed), catalog: byKey(...catalog), today });
const ending = (since: string, until: string, successor?: string): EventDefinition =>
  defineEvent({ ...first, deprecated: { since, until, ...(successor && { successor }) } });

describe("a version", () => {
  it("may be added beside the one before, with an upcaster that reads it; and so may a new type", () => {
    expect(judged([first], [first, good])).toEqual([]);
    expect(judged([], [first])).toEqual([]);
  });

  it("may not change in place: the reason names the version that may, and its upcaster", () => {
    const changed = defineEvent({
      type: "a.b.c",
      version: 1,
      payload: z.object({ name: z.int(), note: z.string().optional() }),
    });
    expect(judged([first], [changed])).toEqual([
      "a.b.c@1: payload.name may be a string in stored events, which is refused now: keep accepting and writing what it was, or declare a.b.c@2 with an upcaster from a.b.c@1",
      "a.b.c@1: payload.name may now be a number, which consumers of today refuse: keep accepting and writing what it was, or declare a.b.c@2 with an upcaster from a.b.c@1",
    ]);
  });

  it.each([
    [
      "no upcaster",
      second(),
      "has no upcaster: stored events of a.b.c@1 must be readable by its consumers, add upcastFrom(…)",
    ],
    [
      "one that forgets a field",
      second(({ name }) => ({ title: name })),
      'its upcaster makes of {"name":"aaa"} what does not fit: payload.lines: Invalid input',
    ],
    [
      "one that counts on an optional field",
      second(({ name, note }) => ({ title: name, lines: [note] })),
      'its upcaster makes of {"name":"aaa"} what does not fit: payload.lines.0: Invalid input',
    ],
    [
      "one that throws",
      second(({ note }) => ({ title: String(note?.length.toFixed()), lines: [(note as string).trim()] })),
      'its upcaster makes of {"name":"aaa"} what does not fit: it throws TypeError',
    ],
  ])("may not be added with %s", (_what, next, reason) => {
    const found = judged([first], [first, next]);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`a.b.c@2: ${reason}`);
  });

  it("may not be added whose upcaster cannot be tried, until its fields have examples", () => {
    const plates = (schema: z.ZodType<string>) =>
      defineEvent({ type: "a.b.c", version: 1, payload: z.object({ plate: schema }) });
    const next = (from: EventDefinition<string, number, { plate: string }>) =>
      defineEvent({
        type: "a.b.c",
        version: 2,
        payload: z.object({ plate: z.string() }),
        upcast: upcastFrom(from, (older) => older),
      });
    const [bare, shown] = [
      plates(z.string().regex(/^[A-Z]{2}-\d+$/)),
      plates(
        z
          .string()
          .regex(/^[A-Z]{2}-\d+$/)
          .meta({ examples: ["AB-1"] }),
      ),
    ];
    expect(judged([bare], [bare, next(bare)])[0]).toContain(
      'a.b.c@2: its upcaster cannot be tried, a.b.c@1: no sample can be made of its pattern: give it some with .meta({ examples: ["…"] })',
    );
    expect(judged([shown], [shown, next(shown)])).toEqual([]);
  });

  it("may not leave a gap, or begin with another number than 1, or take a number that was used", () => {
    const third = { ...good, version: 3, key: "a.b.c@3" as const };
    expect(judged([first], [first, third])).toEqual([
      "a.b.c@3: begins at version 3 without a.b.c@2: number versions from 1, without a gap",
    ]);
    expect(judged([], [good])).toEqual([
      "a.b.c@2: begins at version 2 without a.b.c@1: number versions from 1, without a gap",
    ]);
    expect(judged([good], [first, good])).toEqual(["a.b.c@1: version 1 was there before: take a number above 2"]);
  });

  it("may not be removed, but for one whose day is past for as long as its events are kept", () => {
    const ended = ending("2026-01-01", "2026-02-01", "a.b.c@2");
    expect(judged([first], [])).toEqual([
      "a.b.c@1: was removed while events of it may be stored: declare it deprecated, with a day, and remove it later",
    ]);
    expect(judged([ended, good], [good], "2026-05-02")).toEqual([
      "a.b.c@1: was removed while events of it may be stored: keep the definition until 2026-05-02",
    ]);
    expect(judged([ended, good], [good], "2026-05-03")).toEqual([]);
  });
});

describe("a notice that a version ends", () => {
  it("names a day a month ahead, and what stays and comes instead", () => {
    expect(judged([first], [ending("2026-06-01", "2026-07-01", "a.b.c@2"), good])).toEqual([]);
    expect(judged([first], [ending("2026-06-01", "2026-06-30")])).toEqual([
      "a.b.c@1: ends on 2026-06-30, 30 days after 2026-06-01 at the soonest: 2026-07-01",
    ]);
    expect(judged([first], [ending("2026-06-01", "2026-07-01", "a.b.c@2")])).toEqual([
      "a.b.c@1: is followed by a.b.c@2, which is not in the catalogue: declare it first",
    ]);
    expect(judged([first], [ending("2026-06-01", "2026-07-01", "a.b.c@1")])).toEqual([
      "a.b.c@1: is followed by a.b.c@1, which ends itself: name one that stays",
    ]);
    expect(judged([first], [ending("2026-01-01", "2026-02-30")])).toEqual([
      'a.b.c@1: is deprecated since "2026-01-01" until "2026-02-30": write YYYY-MM-DD',
    ]);
    expect(judged([], [ending("2026-06-01", "2026-07-01")])).toEqual([
      "a.b.c@1: is new and deprecated at once: nobody can have used it",
    ]);
  });

  it("may be put off and taken back, and not brought forward", () => {
    const told = ending("2026-05-01", "2026-08-01");
    expect(judged([told], [ending("2026-05-01", "2026-09-01")])).toEqual([]);
    expect(judged([told], [first])).toEqual([]);
    expect(judged([told], [ending("2026-05-01", "2026-07-31")])).toEqual([
      "a.b.c@1: its end was brought forward from 2026-08-01 to 2026-07-31: consumers were told the later day",
    ]);
  });

  it("stands in the contract", () => {
    const deprecated = { since: "2026-06-01", until: "2026-07-01", successor: "a.b.c@2" };
    expect(contractOf(ending("2026-06-01", "2026-07-01", "a.b.c@2"))).toMatchObject({
      deprecated: true,
      "x-deprecation": deprecated,
    });
    expect(contractOf(good)).toMatchObject({ title: "a.b.c@2", "x-upcast-from": "a.b.c@1" });
    expect(Object.keys(contractOf(first)).filter((key) => key.startsWith("x-") || key === "deprecated")).toEqual([]);
  });
});

describe("samples", () => {
  it("fit what they are made of, and show each alternative, value and bound", () => {
    const schema = z.object({
      id: z.uuid(),
      at: z.iso.datetime(),
      kind: z.enum(["a", "b"]),
      n: z.int().positive(),
      step: z.number().min(0.3).multipleOf(0.5),
      shape: z.union([z.string(), z.array(z.int()).min(2), z.null()]),
      pair: z.tuple([z.string(), z.boolean()]),
      map: z.record(z.string(), z.int()),
      note: z.string().max(2).optional(),
    });
    const samples = samplesOf(contractOf(defineEvent({ type: "a.b.c", version: 1, payload: schema }))) as z.infer<
      typeof schema
    >[];
    for (const sample of samples) expect(schema.safeParse(sample)).toMatchObject({ success: true });
    expect(new Set(samples.map(({ kind }) => kind))).toEqual(new Set(["a", "b"]));
    expect(new Set(samples.map(({ note }) => note))).toEqual(new Set(["aa", undefined]));
    expect(new Set(samples.map(({ shape }) => typeof shape))).toEqual(new Set(["string", "object"]));
    expect(samples.some(({ shape }) => shape === null)).toBe(true);
  });
});
