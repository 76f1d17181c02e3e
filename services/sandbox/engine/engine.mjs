// One run of a user's code in QuickJS, compiled to WebAssembly (quickjs-emscripten; its interrupt handler and limits:
// https://github.com/justjake/quickjs-emscripten#safely-evaluate-untrusted-javascript-code). Each run has an instance of its own, with a
// memory of its own that cannot grow beyond its limit, so nothing of one run is there in the next: an instance that has run out of memory or stack
// is broken for whoever comes next (justjake/quickjs-emscripten #30, #60). The engine's own limits are the polite ones: inside native loops no
// interrupt handler runs (#219: an array's join takes a minute). The hard ones are the memory's maximum, and the process that started this one, which ends it.
import base from "@jitl/quickjs-wasmfile-release-sync";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { newQuickJSWASMModuleFromVariant, newVariant } from "quickjs-emscripten-core";
import { PRELUDE } from "./prelude.mjs";

const MB = 1024 * 1024;
const PAGE_BYTES = 65_536;
/** An instance begins with so much: the module asks for it. */
const FIRST_BYTES = 16 * MB;
/** Of it what is not the code's: stack, static data, and the built-in things of a context. */
const OWN_BYTES = 5.5 * MB;
const STACK_MAX_BYTES = 192 * 1024;
/** Jobs of promises that run before the clock is looked at again. */
const JOBS_AT_ONCE = 64;

// Compiled once; read while this process may still open files.
const wasm = new WebAssembly.Module(
  readFileSync(createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm")),
);

/**
 * An instance that nobody has used. What the code has is what is between the instance's own and the memory's maximum; a limit of
 * QuickJS counts nothing here, for it does not know the sizes of what it has allocated. Of less than an instance begins with, the
 * rest is taken away before the code comes.
 */
export async function instantiate(memoryMb) {
  const maxBytes = OWN_BYTES + memoryMb * MB;
  const wasmMemory = new WebAssembly.Memory({
    initial: FIRST_BYTES / PAGE_BYTES,
    maximum: Math.max(FIRST_BYTES, maxBytes) / PAGE_BYTES,
  });
  const quiet = { print: () => undefined, printErr: () => undefined };
  const withhold = (module) => {
    if (maxBytes < FIRST_BYTES && module._malloc(FIRST_BYTES - maxBytes) === 0)
      throw new Error("no memory to withhold");
  };
  const variant = newVariant(base, {
    wasmModule: wasm,
    wasmMemory,
    emscriptenModule: { ...quiet, postRun: [withhold] },
  });
  return { memoryMb, engine: await newQuickJSWASMModuleFromVariant(variant) };
}

const OVER_TIME = { reason: "timeout", name: "TimeoutError", message: "the code took longer than it may" };
const OUT_OF_MEMORY = {
  reason: "memory",
  name: "OutOfMemoryError",
  message: "the code needs more memory than it may have",
};
const BROKEN = { reason: "crashed", name: "EngineError", message: "the code exhausted the engine" };
const UNSETTLED = { reason: "unsettled", name: "UnsettledError", message: "the code waits for what never comes" };
const TOO_LARGE = { reason: "output", name: "OutputError", message: "the output is larger than it may be" };
const UNREADABLE = { name: "Error", message: "what was thrown cannot be read" };

export class Run {
  /** Of host functions: {id, isFine, text}, in the order in which they came. */
  #answers = [];
  #wake = () => undefined;
  #open = 0;
  #calls = 0;

  /** @param tell of what happens meanwhile: {log} and {call} */
  constructor(job, tell) {
    this.job = job;
    this.tell = tell;
    this.logs = 0;
    this.endsAtMs = performance.now() + job.timeoutMs;
  }

  /** A host function's answer. */
  answer(answered) {
    this.#answers.push(answered);
    this.#wake();
  }

  get isOver() {
    return performance.now() >= this.endsAtMs;
  }

  /**
   * Runs the job. Never rejects: what becomes of it is {output?: JSON} or {error}; `isSpent` says that this process is better
   * not used again.
   */
  async result({ engine }) {
    try {
      const runtime = engine.newRuntime();
      runtime.setMaxStackSize(STACK_MAX_BYTES);
      runtime.setInterruptHandler(() => this.isOver);
      runtime.setModuleLoader(
        (name) =>
          Object.hasOwn(this.job.modules, name)
            ? this.job.modules[name]
            : { error: new Error(`there is no module ${cut(name, 100)}`) },
        (_from, name) => name,
      );
      this.vm = runtime.newContext();
      this.runtime = runtime;
      const ended = await this.#evaluate();
      return this.isOver ? spent(OVER_TIME) : ended;
    } catch (error) {
      // The instance has trapped, or this process has no room for what it was to read of it.
      return spent(this.isOver ? OVER_TIME : BROKEN);
    }
  }

  async #evaluate() {
    const { vm } = this;
    const { start, encode } = this.#prepare();
    const { code, input } = this.job;
    const begun = vm.callFunction(
      start,
      vm.undefined,
      vm.newString(code),
      input === undefined ? vm.undefined : vm.newString(input),
    );
    if (begun.error) return this.#failed(begun.error);
    const promise = begun.value;
    for (;;) {
      if (this.isOver) return spent(OVER_TIME);
      const ran = this.runtime.executePendingJobs(JOBS_AT_ONCE);
      if (ran.error) return this.#failed(ran.error);
      const state = vm.getPromiseState(promise);
      if (state.type === "rejected") return this.#failed(state.error);
      if (state.type === "fulfilled") return this.#encoded(encode, state.value);
      if (this.runtime.hasPendingJob()) continue;
      if (this.#open === 0) return { error: UNSETTLED };
      await this.#settleNext();
    }
  }

  #prepare() {
    const { vm, job } = this;
    const made = vm.unwrapResult(vm.evalCode(PRELUDE, "prelude.js"));
    const native = vm.newObject();
    vm.setProp(
      native,
      "log",
      vm.newFunction("log", (level, text) => this.#log(vm.getString(level), vm.getString(text))),
    );
    vm.setProp(
      native,
      "call",
      vm.newFunction("call", (id, name, values) =>
        vm.newString(this.#call(vm.getNumber(id), vm.getString(name), vm.getString(values))),
      ),
    );
    const { functions, seed, nowMs, lineMaxChars, stackMaxChars, outputMaxBytes } = job;
    const told = { functions, seed, nowMs, lineMaxChars, stackMaxChars, outputMaxBytes };
    const settings = vm.newString(JSON.stringify(told));
    const hooks = vm.unwrapResult(vm.callFunction(made, vm.undefined, native, settings));
    const [start, encode, describe, settle] = ["start", "encode", "describe", "settle"].map((name) =>
      vm.getProp(hooks, name),
    );
    this.describe = describe;
    this.settle = settle;
    return { start, encode };
  }

  #log(level, text) {
    const { linesMax, lineMaxChars } = this.job;
    if (this.logs > linesMax) return;
    const isLast = this.logs++ === linesMax;
    const said = text.length > lineMaxChars ? `${text.slice(0, lineMaxChars - 1)}…` : text;
    this.tell({ log: isLast ? { level: "warn", text: "further lines are left out" } : { level, text: said } });
  }

  /** What is wrong with a call; empty when it was sent. */
  #call(id, name, values) {
    const { functions, callsMax, callMaxChars } = this.job;
    if (!functions.includes(name)) return "there is no such function";
    if (++this.#calls > callsMax) return `more than ${callsMax} calls of host functions`;
    if (values.length > callMaxChars) return "the arguments are too large";
    this.#open++;
    this.tell({ call: { id, name, values } });
    return "";
  }

  /** Waits for a host function's answer, no longer than the run may take, and hands it in. */
  async #settleNext() {
    const { vm } = this;
    if (this.#answers.length === 0) {
      let timer;
      await new Promise((resolve) => {
        timer = setTimeout(resolve, Math.max(0, this.endsAtMs - performance.now()));
        this.#wake = resolve;
      });
      clearTimeout(timer);
    }
    const answered = this.#answers.shift();
    if (answered === undefined) return;
    this.#open--;
    const { id, isFine, text } = answered;
    const settled = vm.callFunction(
      this.settle,
      vm.undefined,
      vm.newNumber(id),
      isFine ? vm.true : vm.false,
      text === undefined ? vm.undefined : vm.newString(text),
    );
    settled.dispose();
  }

  #encoded(encode, value) {
    const { vm, job } = this;
    const encoded = vm.callFunction(encode, vm.undefined, value);
    if (encoded.error) return this.#failed(encoded.error);
    const kind = vm.typeof(encoded.value);
    // What has no JSON, a function for instance, is no output.
    if (kind === "undefined") return {};
    const output = kind === "string" ? vm.getString(encoded.value) : undefined;
    if (output === undefined || Buffer.byteLength(output) > job.outputMaxBytes) return { error: TOO_LARGE };
    return { output };
  }

  #failed(error) {
    if (this.isOver) return spent(OVER_TIME);
    const told = this.#described(error);
    if (this.isOver) return spent(OVER_TIME);
    if (told.name === "InternalError" && told.message === "out of memory") return spent(OUT_OF_MEMORY);
    return { error: { reason: "threw", ...told } };
  }

  /** Reading what was thrown runs code of the user's: getters, toString, and what JSON asks for. So it may be anything. */
  #described(error) {
    const { vm } = this;
    const described = vm.callFunction(this.describe, vm.undefined, error);
    if (described.error || vm.typeof(described.value) !== "string") return UNREADABLE;
    const { lineMaxChars, stackMaxChars } = this.job;
    const { name, message, stack } = JSON.parse(vm.getString(described.value)) ?? {};
    if (typeof name !== "string" || typeof message !== "string") return UNREADABLE;
    const told = { name: cut(name, lineMaxChars), message: cut(message, lineMaxChars) };
    return typeof stack === "string" ? { ...told, stack: cut(stack, stackMaxChars) } : told;
  }
}

const spent = (error) => ({ error, isSpent: true });
const cut = (text, maxChars) => text.slice(0, maxChars);
