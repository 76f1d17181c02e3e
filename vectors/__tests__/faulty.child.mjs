// In the place of markdown.child.mjs: does what its text says, to show what the rest does when a process misbehaves.
import { existsSync } from "node:fs";
import { serve } from "../markdown-serve.mjs";

const memory = [];

serve(({ blocks }) => {
  if (blocks === "loop") for (;;);
  if (blocks.startsWith("while ")) while (existsSync(blocks.slice("while ".length)));
  // eslint-disable-next-line regexp/no-super-linear-backtracking -- what it is for
  if (blocks === "backtrack") /^(?:a+)+$/.test(`${"a".repeat(60)}b`);
  if (blocks === "many things") for (;;) memory.push(new Array(1000).fill(memory.length));
  if (blocks === "one thing") for (;;) memory.push(memory.length);
  if (blocks === "exit") process.exit(3);
  if (blocks === "killed") process.kill(process.pid, "SIGKILL");
  if (blocks === "throw") throw new Error("thrown in the process");
  return { text: blocks, cuts: new Int32Array(0), titles: [] };
});
