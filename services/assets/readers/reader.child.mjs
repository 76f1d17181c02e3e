// The process that reads one file's text (reader-process.ts): its bytes come by stdin, what it says goes by IPC:
//   {begun}      it has all bytes: the file's own time begins
//   {text}       Markdown
//   {failure}    a word of readable.ts
// Plain JavaScript, because it is forked by its path. Arguments: the reader, how many bytes the file
// has, this process' memory in MB, its time in ms.
import { Worker } from "node:worker_threads";
import { Refusal } from "./refusal.mjs";

const [reader, fileBytes, memoryMaxMb, limitMs] = process.argv.slice(2);

/** All bytes of a file are in memory here, and what is made of them. */
const FILE_MAX_BYTES = 32 * 1024 * 1024;

// Looks from a thread of its own, for what runs here lets nothing else run: at the memory of the whole process, which is a verdict
// and has a signal that nobody else sends, and whether it has outlived its parent's patience (a parent that was killed ends nothing).
const watch = new Worker(
  `const [memoryMax, limitMs] = require("node:worker_threads").workerData;
   const endsAt = performance.now() + limitMs;
   setInterval(() => {
     if (process.memoryUsage.rss() > memoryMax) process.kill(process.pid, "SIGUSR2");
     if (performance.now() > endsAt) process.kill(process.pid, "SIGKILL");
   }, 20);`,
  { eval: true, workerData: [Number(memoryMaxMb) * 1024 * 1024, Number(limitMs)], env: {} },
);
watch.unref();

process.on("disconnect", () => process.exit(0));
// A process group's signals are for the parent, which decides when this one ends.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);

/** In one piece from the beginning: what is put together at the end is in memory twice. */
async function bytesOf(stream) {
  const size = Number(fileBytes);
  if (size > FILE_MAX_BYTES) throw new Refusal("too_complex");
  const bytes = Buffer.allocUnsafeSlow(size);
  let length = 0;
  for await (const chunk of stream) length += chunk.copy(bytes, length);
  return bytes.subarray(0, length);
}

/** What a parser says of a file that it cannot read is a sentence of its own; only its kind is told apart. */
function wordFor(error) {
  if (error instanceof Refusal) return error.word;
  // The stack is at its end: what calls itself for each thing within a thing.
  return error instanceof RangeError ? "too_complex" : "damaged";
}

async function answer() {
  try {
    const { read } = await import(`./${reader}.mjs`);
    const bytes = await bytesOf(process.stdin);
    // Waited for: what follows may let nothing else run.
    await new Promise((resolve) => process.send({ begun: true }, resolve));
    const text = await read(bytes);
    return /\S/.test(text) ? { text } : { failure: "no_text" };
  } catch (error) {
    return { failure: wordFor(error) };
  }
}

const answered = await answer();
process.send(answered, () => process.exit(0));
