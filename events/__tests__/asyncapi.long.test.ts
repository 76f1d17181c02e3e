// docs/asyncapi.json in the eyes of the official parser (it takes seconds to load, so it is asked in the long suites).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Parser } from "@asyncapi/parser";
import { expect, it } from "vitest";
import { catalog } from "../catalog";
import { messageName } from "../asyncapi";

const text = readFileSync(join(__dirname, "..", "..", "docs", "asyncapi.json"), "utf8");
/** Warnings count as well. */
const WARNING = 1;

it("is a valid AsyncAPI 3 document that has every event of the catalogue as a message of the topic", async () => {
  const { document, diagnostics } = await new Parser().parse(text);
  expect(diagnostics.filter(({ severity }) => severity <= WARNING).map(({ code }) => code)).toEqual([]);
  const messages = document?.channels().get("domain-events")?.messages().all() ?? [];
  expect(messages.map((message) => message.name()).sort()).toEqual([...catalog.values()].map(messageName).sort());
});
