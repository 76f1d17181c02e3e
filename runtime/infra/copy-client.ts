// A test file's side: asks the runner for a copy of a template. Loaded by every test file, therefore almost nothing.
import { connect } from "node:net";
import type { CopyAnswer, CopyRequest, Template } from "./copy-errands";

export interface ClonedDatabase {
  url: string;
  /** For the login that owns what migrations made; the same where there is only one. */
  ownerUrl: string;
  /** Ends the clone and removes what it kept. */
  drop(): Promise<void>;
}

/** @param path where the runner listens (GROUNDWORK_TEST_COPIES) */
export function requestCopy(path: string, template: Template): Promise<ClonedDatabase> {
  const request: CopyRequest = { worker: process.env.VITEST_POOL_ID ?? "", template };
  const socket = connect(path);
  socket.setEncoding("utf8");
  socket.write(`${JSON.stringify(request)}\n`);
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("the process that serves databases to tests ended")));
    socket.on("data", (chunk: string) => {
      text += chunk;
      if (!text.endsWith("\n")) return;
      const answer = JSON.parse(text) as CopyAnswer;
      if ("failed" in answer) return void socket.destroy(new Error(answer.failed));
      socket.unref();
      resolve({ url: answer.url, ownerUrl: answer.ownerUrl, drop: () => Promise.resolve(void socket.destroy()) });
    });
  });
}
