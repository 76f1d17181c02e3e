import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { chunkMarkdown } from "../chunker";
import { MarkdownThreads } from "../markdown-threads";
import { hostileTexts } from "./hostile-markdown";

const TEXT_MAX_CHARS = 500_000;

/** What this thread itself has computed, in milliseconds: what others do on a busy machine is not in it. */
function computedMs(): number {
  const file = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, "utf8").split(" ")[0]) / 1e6 : performance.now();
}

describe("the thread that answers", () => {
  const worst = new Set(["many references", "blanks in a line", "many headings", "one word"]);
  test.each(hostileTexts(TEXT_MAX_CHARS).filter(([name]) => worst.has(name)))(
    "is held less than 50 ms by 500,000 characters of %s",
    async (_, text) => {
      await chunkMarkdown("warm");
      const before = computedMs();
      await chunkMarkdown(text);
      expect(computedMs() - before).toBeLessThan(50);
    },
    60_000,
  );
});

describe("threads that misbehave", () => {
  const faulty = (options = {}): MarkdownThreads =>
    new MarkdownThreads({ limitMs: 300, worker: join(import.meta.dirname, "faulty.worker.mjs"), ...options });

  test.each([
    ["loop", "too_complex"],
    ["backtrack", "too_complex"],
    ["grow", "too_complex"],
    ["exit", "broken"],
    ["throw", "broken"],
  ])(
    "by %s fail with %s, and the next text has a new thread",
    async (text, problem) => {
      const threads = faulty({ threads: 1, limitMs: text === "grow" ? 15_000 : 300 });
      const [failed, next] = [threads.cuts(text), threads.cuts("fine")];
      await expect(failed).rejects.toMatchObject({ name: "MarkdownError", problem });
      expect((await next).titles).toEqual([]);
      expect(threads.running).toBe(1);
    },
    30_000,
  );

  test("hold up neither the other thread nor this one", async () => {
    const threads = faulty({ threads: 2, limitMs: 1_500 });
    const hung = threads.cuts("loop").catch((error: unknown) => error);
    expect(await Promise.race([threads.cuts("fine").then(() => "fine"), hung])).toBe("fine");
    expect(threads.running).toBe(2);
    expect(await hung).toMatchObject({ problem: "too_complex" });
    expect(threads.running).toBe(1);
  });

  test("make only so many texts wait; what is more is told so at once", async () => {
    const threads = faulty({ threads: 1, waitingMax: 2 });
    const sent = ["loop", "fine", "fine", "fine"].map((text) =>
      threads.cuts(text).then(
        () => "read",
        (error: { problem: string }) => error.problem,
      ),
    );
    expect(await sent[3]).toBe("busy");
    expect(await Promise.all(sent)).toEqual(["too_complex", "read", "read", "busy"]);
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
