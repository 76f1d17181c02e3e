// The largest texts that are taken, of what a parser hates: what they cost the process that answers is in proportion to their size.
import { describe, expect, test, vi } from "vitest";
import { overgrowth } from "../../scripts/testing/growth";
import { chunkMarkdown } from "../chunker";
import { type MarkdownCuts, markdownProcesses } from "../markdown-processes";
import { hostileText } from "./hostile-markdown";

const TEXT_MAX_CHARS = 500_000;
/** As in markdown.child.mjs, with what is between two of them; and the numbers that make one. */
const BLOCKS_MAX = 2 * 5_000 + 1;
const WIDTH = 5;

describe("the process that answers", () => {
  const worst = ["many references", "blanks in a line", "many headings", "one word"];
  test.each(worst)("gets few blocks of 500,000 characters of %s, and takes a time in proportion", async (name) => {
    const read = vi.spyOn(markdownProcesses(), "cuts");
    const problem = await overgrowth(TEXT_MAX_CHARS, (size) => hostileText(name, size), chunkMarkdown);
    const { cuts } = await (read.mock.results.at(-1)?.value as Promise<MarkdownCuts>);
    expect(cuts.length / WIDTH).toBeLessThanOrEqual(BLOCKS_MAX);
    expect(problem).toBeUndefined();
  });
});
