import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type MarkdownError, MarkdownProcesses } from "../markdown-processes";

describe("processes that misbehave", () => {
  const child = join(import.meta.dirname, "faulty.child.mjs");
  const faulty = (options = {}): MarkdownProcesses => new MarkdownProcesses({ limitMs: 60_000, child, ...options });
  const dir = mkdtempSync(join(tmpdir(), "gw-markdown-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Reads it also where the machine's pauses take longer than a text may. */
  async function readAtLast(processes: MarkdownProcesses, text: string): Promise<string[]> {
    for (;;) {
      const answer = await processes.cuts(text).catch((error: MarkdownError) => error);
      if ("titles" in answer) return answer.titles;
      if (answer.problem !== "too_complex") throw answer;
    }
  }

  test.each([
    ["loop", "too_complex", "too long"],
    ["backtrack", "too_complex", "too long"],
    ["exit", "broken", "status 3"],
    ["killed", "broken", "SIGKILL"],
    ["throw", "broken", "thrown in the process"],
  ])("by %s fail with %s, and the next text is read", async (text, problem, why) => {
    const processes = faulty({ processes: 1, limitMs: ["loop", "backtrack"].includes(text) ? 300 : 60_000 });
    const [failed, next] = [processes.cuts(text), readAtLast(processes, "fine")];
    const error = await failed.then(
      () => undefined,
      (reason: MarkdownError) => reason,
    );
    expect(error).toMatchObject({ name: "MarkdownError", problem });
    expect(`${error?.message} ${String(error?.cause)}`).toContain(why);
    expect(await next).toEqual([]);
    expect(processes.running).toBe(1);
  });

  test.each(["many things", "one thing"])(
    "by keeping %s end by their memory, whatever flags this process has, and alone",
    async (text) => {
      vi.stubEnv("NODE_OPTIONS", "--max-old-space-size=4096 --max-semi-space-size=32");
      onTestFinished(() => void vi.unstubAllEnvs());
      const processes = faulty({ processes: 1, memoryMaxMb: 32 });
      const [failed, next] = [processes.cuts(text), processes.cuts("fine")];
      await expect(failed).rejects.toThrow("the text needs too much memory");
      expect(await next).toMatchObject({ text: "fine" });
    },
  );

  test("end although their parent is gone and they hear nothing", async () => {
    const orphan = fork(child, ["300"], { serialization: "advanced", execArgv: [] });
    onTestFinished(() => void orphan.kill("SIGKILL"));
    await once(orphan, "message");
    orphan.send({ id: 1, blocks: "loop" }, () => orphan.disconnect());
    expect(await once(orphan, "exit")).toEqual([124, null]);
  });

  /** A text that holds its process in a loop until it is let go. */
  function held(name: string): { text: string; letGo: () => void } {
    const file = join(dir, name);
    writeFileSync(file, "");
    return { text: `while ${file}`, letGo: () => rmSync(file) };
  }

  test("hold up neither the other process nor this one", async () => {
    const processes = faulty({ processes: 2 });
    const { text, letGo } = held("other");
    const hung = processes.cuts(text).then(() => "let go");
    expect(await Promise.race([processes.cuts("fine").then(() => "fine"), hung])).toBe("fine");
    expect(processes.running).toBe(2);
    letGo();
    expect(await hung).toBe("let go");
  });

  test("make only so many texts wait; what is more is told so at once", async () => {
    const processes = faulty({ processes: 1, waitingMax: 2 });
    const { text, letGo } = held("first");
    const sent = [text, "fine", "fine", "fine"].map((each) =>
      processes.cuts(each).then(
        () => "read",
        (error: { problem: string }) => error.problem,
      ),
    );
    expect(await sent[3]).toBe("busy");
    letGo();
    expect(await Promise.all(sent)).toEqual(["read", "read", "read", "busy"]);
  });

  test("leave when there is nothing to read, and after a large text", async () => {
    const processes = faulty({ processes: 1, idleMs: 20 });
    await processes.cuts("fine");
    expect(processes.running).toBe(1);
    await expect.poll(() => processes.running, { interval: 5 }).toBe(0);
    await processes.cuts("x".repeat(100_001));
    expect(processes.running).toBe(0);
  });
});
