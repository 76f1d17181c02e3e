// In the place of markdown.worker.mjs: does what its text says, to show what the rest does when a thread misbehaves.
import { existsSync } from "node:fs";
import { parentPort } from "node:worker_threads";

const memory = [];

parentPort.on("message", ({ id, blocks }) => {
  if (blocks === "loop") for (;;);
  if (blocks.startsWith("while ")) while (existsSync(blocks.slice("while ".length)));
  // eslint-disable-next-line regexp/no-super-linear-backtracking -- what it is for
  if (blocks === "backtrack") /^(?:a+)+$/.test(`${"a".repeat(60)}b`);
  if (blocks === "grow") for (;;) memory.push(new Array(1000).fill(memory.length));
  if (blocks === "exit") process.exit(3);
  if (blocks === "throw") throw new Error("thrown in the thread");
  parentPort.postMessage({ id, text: blocks, cuts: new Int32Array(0), titles: [] });
});

parentPort.postMessage("ready");
