// A hanging embedder costs some searches their wait, and not all.
import { vectors } from "~encore/clients";
import { expect, test } from "vitest";
import { reasonOf } from "../../security/errors";
import { createCaller } from "../../testing";
import { replaceEmbedder } from "../active-embedder";
import { EmbedderRest, restOf } from "../embedder-rest";
import { RecordingEmbedder } from "./recording-embedder";

test("after three time-outs running it rests; one question at a time finds out whether it answers again", () => {
  const rest = new EmbedderRest();
  for (let n = 0; n < 2; n++) rest.noteTimeout(0);
  rest.noteAnswer();
  for (let n = 0; n < 2; n++) rest.noteTimeout(0);
  expect(rest.mayAsk(1)).toBe(true);
  rest.noteTimeout(1);
  expect([rest.mayAsk(2), rest.mayAsk(15_000)]).toEqual([false, false]);
  expect([rest.mayAsk(15_001), rest.mayAsk(15_002)]).toEqual([true, false]);
  // What was tried hangs too.
  rest.noteTimeout(25_001);
  expect([rest.mayAsk(40_000), rest.mayAsk(40_001), rest.mayAsk(40_002)]).toEqual([false, true, false]);
  rest.noteAnswer();
  expect([rest.mayAsk(40_003), rest.mayAsk(40_004)]).toEqual([true, true]);
});

test("a search while it rests is answered by words at once, and asks it nothing", async () => {
  const embedder = new RecordingEmbedder();
  replaceEmbedder(embedder);
  let asked = 0;
  const { embed } = embedder;
  embedder.embed = (texts, options = {}) => {
    if (options.priority !== "interactive") return embed.call(embedder, texts, options);
    asked++;
    return new Promise(() => undefined);
  };
  const caller = createCaller();
  await vectors.ingest({ source: "a.md", text: "Lighthouse keepers write." }, caller);
  for (let n = 0; n < 3; n++) restOf(embedder).noteTimeout();
  const { mode, results } = await vectors.search({ q: "lighthouse" }, caller);
  expect([mode, results.map(({ source }) => source)]).toEqual(["words", ["a.md"]]);
  const byMeaning = vectors.search({ q: "lighthouse", mode: "vector" }, caller);
  expect(await byMeaning.then(() => undefined, reasonOf)).toBe("embedder_unavailable");
  expect(asked).toBe(0);
});
