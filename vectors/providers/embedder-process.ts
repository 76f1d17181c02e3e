// The child process of the local embedder. States: stopped → running → stopped, as often as needed.
//   stopped   no process. The next request forks one.
//   running   answers one request at a time; ends by stop(), by crashing, or with this process (its IPC channel
//             closes with us, also when we are killed). One that does not answer in time is killed.
// A crash rejects the request at hand with EmbedderError and leaves the state stopped: nothing restarts it
// until somebody asks again, so a model that cannot load makes no loop.
import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import { EmbedderError } from "./embedder";

/** From the app's root, which is the working directory of every process of the app. */
const CHILD = "vectors/providers/sentence-embedder.child.mjs";
/** Nice value of a process that has its model: answering requests goes before embedding. */
const LOW_PRIORITY = 10;

/** A request takes a third of a second, the first one also loads the model. What takes longer has hung. */
const ANSWER_LIMIT_MS = 60_000;
/** A process that is asked to end has this long. */
const END_LIMIT_MS = 2_000;

type Answer = { id: number; vectors: Float32Array[] } | { id: number; error: string };

export class EmbedderProcess {
  private child: ChildProcess | undefined;
  private requests = 0;

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** One request at a time: the caller waits for the answer before asking again. */
  ask(texts: readonly string[]): Promise<Float32Array[]> {
    const child = (this.child ??= this.start());
    const id = ++this.requests;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        settle(() => reject(new EmbedderError("the embedder's process does not answer and was ended", true)));
        if (this.child === child) this.child = undefined;
        child.kill("SIGKILL");
      }, ANSWER_LIMIT_MS);
      const settle = (finish: () => void): void => {
        clearTimeout(limit);
        child.off("message", onMessage);
        child.off("exit", onExit);
        child.off("error", onError);
        child.channel?.unref();
        finish();
      };
      const onMessage = (message: unknown): void => {
        const answer = message as Answer;
        if (answer.id !== id) return;
        settle(() =>
          "vectors" in answer
            ? resolve(answer.vectors)
            : reject(new EmbedderError(`the sentence model failed: ${answer.error}`, true)),
        );
      };
      const onExit = (code: number | null, signal: string | null): void =>
        settle(() =>
          reject(new EmbedderError(`the embedder's process ended (${signal ?? code}) before it answered`, true)),
        );
      const onError = (error: Error): void =>
        settle(() => reject(new EmbedderError("the embedder's process cannot be reached", true, error)));
      child.on("message", onMessage).on("exit", onExit).on("error", onError);
      child.channel?.ref();
      child.send({ id, texts }, (error) => error && onError(error));
    });
  }

  /** Resolves when the process has ended. */
  async stop(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.ref();
    if (child.connected) child.disconnect();
    else child.kill("SIGKILL");
    // One that hangs does not see that its channel is closed.
    const limit = setTimeout(() => child.kill("SIGKILL"), END_LIMIT_MS);
    await ended;
    clearTimeout(limit);
  }

  private start(): ChildProcess {
    const file = join(process.cwd(), CHILD);
    if (!existsSync(file))
      throw new EmbedderError(
        `${CHILD} is not under the working directory ${process.cwd()}: start the app from its root`,
        false,
      );
    // No environment: the child needs none of our credentials.
    const child = fork(file, {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      execArgv: [],
      env: {},
    });
    child.on("exit", () => {
      if (this.child === child) this.child = undefined;
    });
    child.on("error", () => undefined);
    child.unref();
    child.channel?.unref();
    // Not before it has answered once: somebody may wait for a search, and where the cores are busy a process of low
    // priority takes minutes to load its model.
    child.once("message", () => lowerPriority(child.pid));
    return child;
  }
}

function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, LOW_PRIORITY);
  } catch {
    // It has ended already, or the platform does not let us: it embeds at the usual priority.
  }
}
