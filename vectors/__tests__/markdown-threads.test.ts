import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { overgrowth } from "../../scripts/testing/growth";
import { chunkMarkdown } from "../chunker";
import { type MarkdownCuts, type MarkdownError, MarkdownThreads, markdownThreads } from "../markdown-threads";
import { hostileText } from "./hostile-markdown";

const TEXT_MAX_CHARS = 500_000;
/** As in markdown.worker.mjs, with what is between two of them; and the numbers that make one. */
const BLOCKS_MAX = 2 * 5_000 + 1;
const WIDTH = 5;

describe("the thread that answers", () => {
  const worst = ["many references", "blanks in a line", "many headings", "one word"];
  test.each(worst)("gets few blocks of 500,000 characters of %s, and takes a time in proportion", async (name) => {
    const read = vi.spyOn(markdownThreads(), "cuts");
    const problem = await overgrowth(TEXT_MAX_CHARS, (size) => hostileText(name, size), chunkMarkdown);
    const { cuts } = await (read.mock.results.at(-1)?.value as Promise<MarkdownCuts>);
    expect(cuts.length / WIDTH).toBeLessThanOrEqual(BLOCKS_MAX);
    expect(problem).toBeUndefined();
  });
});

describe("threads that misbehave", () => {
  const faulty = (options = {}): MarkdownThreads =>
    new MarkdownThreads({ limitMs: 60_000, worker: join(import.meta.dirname, "faulty.worker.mjs"), ...options });
  const dir = mkdtempSync(join(tmpdir(), "gw-markdown-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Reads it also where the machine's pauses take longer than a text may. */
  async function readAtLast(threads: MarkdownThreads, text: string): Promise<string[]> {
    for (;;) {
      const answer = await threads.cuts(text).catch((error: MarkdownError) => error);
      if ("titles" in answer) return answer.titles;
      if (answer.problem !== "too_complex") throw answer;
    }
  }

  test.each([
    ["loop", "too_complex"],
    ["backtrack", "too_complex"],
    ["grow", "too_complex"],
    ["exit", "broken"],
    ["throw", "broken"],
  ])("by %s fail with %s, and the next text has a new thread", async (text, problem) => {
    // One that grows is ended by its memory, or by its time where collecting what is no garbage takes longer.
    const limits: Readonly<Record<string, number>> = { loop: 300, backtrack: 300, grow: 10_000 };
    const threads = faulty({ threads: 1, limitMs: limits[text] ?? 60_000 });
    const [failed, next] = [threads.cuts(text), readAtLast(threads, "fine")];
    await expect(failed).rejects.toMatchObject({ name: "MarkdownError", problem });
    expect(await next).toEqual([]);
    expect(threads.running).toBe(1);
  });

  /** A text that holds its thread in a loop until it is let go. */
  function held(name: string): { text: string; letGo: () => void } {
    const file = join(dir, name);
    writeFileSync(file, "");
    return { text: `while ${file}`, letGo: () => rmSync(file) };
  }

  test("hold up neither the other thread nor this one", async () => {
    const threads = faulty({ threads: 2 });
    const { text, letGo } = held("other");
    const hung = threads.cuts(text).then(() => "let go");
    expect(await Promise.race([threads.cuts("fine").then(() => "fine"), hung])).toBe("fine");
    expect(threads.running).toBe(2);
    letGo();
    expect(await hung).toBe("let go");
  });

  test("make only so many texts wait; what is more is told so at once", async () => {
    const threads = faulty({ threads: 1, waitingMax: 2 });
    const { text, letGo } = held("first");
    const sent = [text, "fine", "fine", "fine"].map((each) =>
      threads.cuts(each).then(
        () => "read",
        (error: { problem: string }) => error.problem,
      ),
    );
    expect(await sent[3]).toBe("busy");
    letGo();
    expect(await Promise.all(sent)).toEqual(["read", "read", "read", "busy"]);
  });

  test("leave when there is nothing to read, and after a large text", async () => {
    const threads = faulty({ threads: 1, idleMs: 20 });
    await threads.cuts("fine");
    expect(threads.running).toBe(1);
    await expect.poll(() => threads.running, { interval: 5 }).toBe(0);
    await threads.cuts("x".repeat(100_001));
    expect(threads.running).toBe(0);
  });
});
