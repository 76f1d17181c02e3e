// What is in the engine before a user's code, written for the engine and not for Node: only its text goes there (engine.mjs), so it
// sees nothing of this file's module. It keeps what it needs of the built-in things before anybody can change them. None of the limits
// hangs on it: whoever breaks what is in here breaks their own run, and the host counts and cuts by itself.

/**
 * @param {{log: Function, call: Function}} native functions of the host that take and answer strings
 * @param {string} settings JSON of {functions, seed?, nowMs?, lineMaxChars, stackMaxChars, outputMaxBytes}
 * @returns what the host calls: start, encode, describe, settle
 */
function prelude(native, settings) {
  "use strict";
  const { parse, stringify } = JSON;
  const { log, call } = native;
  const { functions, seed, nowMs, lineMaxChars, stackMaxChars, outputMaxBytes } = parse(settings);
  const AsyncFunction = (async () => undefined).constructor;
  const text = String;
  const apply = Reflect.apply;
  const slice = String.prototype.slice;
  const cut = (value, maxChars) => apply(slice, value, [0, maxChars]);

  /** As it is read in a log: text as it is, the rest as JSON where it has one. */
  function shown(value) {
    if (typeof value === "string") return value;
    if (typeof value === "object" && value instanceof Error) return `${value.name}: ${value.message}`;
    try {
      return stringify(value) ?? text(value);
    } catch {
      return text(value);
    }
  }

  function line(values) {
    let said = "";
    for (let at = 0; at < values.length && said.length <= lineMaxChars; at++) {
      said += (at === 0 ? "" : " ") + cut(shown(values[at]), lineMaxChars + 1);
    }
    return cut(said, lineMaxChars + 1);
  }

  const console = {};
  for (const level of ["log", "debug", "info", "warn", "error"])
    console[level] = (...values) => {
      log(level, line(values));
    };
  globalThis.console = Object.freeze(console);

  const settle = offerHost(functions, call);
  if (seed !== undefined) seedRandom(seed);
  if (nowMs !== undefined) freezeClock(nowMs);

  return {
    start: (code, input) => new AsyncFunction("input", code)(input === undefined ? undefined : parse(input)),
    /** JSON; undefined for what has none, null for what is larger than an output may be. */
    encode(value) {
      const json = stringify(value);
      return json !== undefined && json.length > outputMaxBytes ? null : json;
    },
    describe(error) {
      const isObject = typeof error === "object" && error !== null;
      const name = isObject ? cut(text(error.name), 100) : "Thrown";
      const message = cut(isObject ? text(error.message) : shown(error), lineMaxChars);
      const stack = isObject && error.stack !== undefined ? cut(text(error.stack), stackMaxChars) : undefined;
      return stringify({ name, message, stack });
    },
    settle,
  };
}

/** Functions of the host, as promises. Returns what settles them. */
function offerHost(functions, call) {
  const { parse, stringify } = JSON;
  const waiting = Object.create(null);
  let calls = 0;
  const host = Object.create(null);
  for (const name of functions)
    host[name] = (...values) =>
      new Promise((resolve, reject) => {
        const id = ++calls;
        const refusal = call(id, name, stringify(values));
        if (refusal === "") waiting[id] = { resolve, reject };
        else reject(new Error(refusal));
      });
  globalThis.host = Object.freeze(host);
  return (id, isFine, answer) => {
    const waits = waiting[id];
    delete waiting[id];
    if (waits === undefined) return;
    if (isFine) waits.resolve(answer === undefined ? undefined : parse(answer));
    else waits.reject(new Error(answer));
  };
}

/** The same numbers for the same seed: mulberry32. */
function seedRandom(seed) {
  let state = seed | 0;
  const { imul } = Math;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function freezeClock(nowMs) {
  const Real = Date;
  const { apply, construct } = Reflect;
  const toText = Real.prototype.toString;
  const frozen = function Date(...values) {
    if (new.target === undefined) return apply(toText, new Real(nowMs), []);
    return construct(Real, values.length === 0 ? [nowMs] : values, new.target);
  };
  frozen.now = () => nowMs;
  frozen.parse = Real.parse;
  frozen.UTC = Real.UTC;
  frozen.prototype = Real.prototype;
  Real.prototype.constructor = frozen;
  globalThis.Date = frozen;
  // A second clock, where the engine has it.
  delete globalThis.performance;
}

/** The text of all of them: an expression whose value is `prelude`. */
export const PRELUDE = `(() => { ${offerHost}; ${seedRandom}; ${freezeClock}; return ${prelude} })()`;
