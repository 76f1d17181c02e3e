// The process that the sentence model runs in: its priority, its end when idle, hung or killed, and whose turn it is.
import { getPriority } from "node:os";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { EmbedOptions } from "../providers/embedder";
import { LocalEmbedder } from "../providers/local-embedder";

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean, limitMs = 45_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("the condition did not come true");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("the local sentence model", () => {
  /** Of the tests that leave it able to answer: starting one takes longer than most of them. */
  const embedder = new LocalEmbedder({ idleSeconds: 60, processes: 1 });
  afterAll(() => embedder.close());

  test("has its parent's priority until it has its model, then a low one", async () => {
    const answer = embedder.embed(["hello"]);
    const [pid = 0] = embedder.pids;
    expect(getPriority(pid)).toBe(getPriority());
    await answer;
    expect(getPriority(pid)).toBe(10);
  });

  test("runs in a process of its own that leaves when idle and comes back when needed", async () => {
    const embedder = new LocalEmbedder({ idleSeconds: 0.05 });
    expect(embedder.pids).toEqual([]);
    await embedder.embed(["hello"]);
    const [first] = embedder.pids;
    await until(() => embedder.pids.length === 0 && !isAlive(first));
    await embedder.embed(["hello again"]);
    expect(embedder.pids).not.toContain(first);
    await embedder.close();
    expect(embedder.pids).toEqual([]);
  });

  test("takes a second process for a backlog, never for a question, and lets both go", async () => {
    const embedder = new LocalEmbedder({ idleSeconds: 0.05, processes: 2 });
    await embedder.embed(["one", "two"]);
    await embedder.embed(["a question"], { priority: "interactive" });
    expect(embedder.pids).toHaveLength(1);
    const batch = embedder.embed(Array.from({ length: 24 }, (_, index) => `text ${index}`));
    expect(embedder.pids).toHaveLength(2);
    expect(await batch).toHaveLength(24);
    await until(() => embedder.pids.length === 0);
  });

  test("that stops answering is ended after its time, and asked again", async () => {
    // The process is real and its time is not: how long a new one takes to start decides nothing.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const embedder = new LocalEmbedder({ idleSeconds: 3_600 });
    await embedder.embed(["warm"]);
    const [hung = 0] = embedder.pids;
    process.kill(hung, "SIGSTOP");
    const answer = embedder.embed(["one", "two"]);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(embedder.pids).toEqual([hung]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toHaveLength(2);
    expect(embedder.pids).not.toContain(hung);
    await vi.waitUntil(() => !isAlive(hung), { timeout: 90_000 });
    // Nor does a hung one hold up the end.
    const [next = 0] = embedder.pids;
    process.kill(next, "SIGSTOP");
    const closed = embedder.close();
    await vi.advanceTimersByTimeAsync(2_000);
    await closed;
    expect(isAlive(next)).toBe(false);
  });

  test("keeps nobody waiting beyond a deadline, also when it hangs", async () => {
    await embedder.embed(["warm"]);
    process.kill(embedder.pids[0] ?? 0, "SIGSTOP");
    await expect(embedder.embed(["x"], { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      message: "embedding was given up",
      retryable: true,
    });
    await expect(embedder.embed(["x"], { signal: AbortSignal.abort() })).rejects.toMatchObject({ retryable: true });
    process.kill(embedder.pids[0] ?? 0, "SIGCONT");
  });

  test("asks once more when its process is killed at work", async () => {
    await embedder.embed(["warm"]);
    const [victim = 0] = embedder.pids;
    const answer = embedder.embed(["one", "two"]);
    process.kill(victim, "SIGKILL");
    expect(await answer).toHaveLength(2);
    expect(embedder.pids).not.toContain(victim);
  });

  test("answers a person before the batches that have not begun", async () => {
    const order: string[] = [];
    const batch = embedder
      .embed(Array.from({ length: 40 }, (_, index) => `batch ${index}`))
      .then(() => order.push("batch"));
    const person = embedder.embed(["question"], { priority: "interactive" }).then(() => order.push("person"));
    await Promise.all([batch, person]);
    expect(order).toEqual(["person", "batch"]);
  });

  test("answers organisations in turn, batches after every fourth question, and nobody who has given up", async () => {
    const order: string[] = [];
    const ask = async (name: string, options: EmbedOptions = {}): Promise<void> => {
      await embedder.embed([name], options);
      order.push(name);
    };
    const question = (name: string, tenantId: string): Promise<void> =>
      ask(name, { priority: "interactive", tenantId });
    const controller = new AbortController();
    const asked = [ask("begun"), ...["a1", "a2", "a3", "a4", "a5", "a6"].map((name) => question(name, "a"))];
    const { signal } = controller;
    const given = ask("c1", { priority: "interactive", tenantId: "c", signal }).catch(() => "given up");
    controller.abort();
    asked.push(question("b1", "b"), ask("batch"));
    await Promise.all(asked);
    expect(await given).toBe("given up");
    expect(order).toEqual(["begun", "a1", "b1", "a2", "a3", "batch", "a4", "a5", "a6"]);
  });
});
