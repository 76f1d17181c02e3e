// What a run may have. One table for the endpoint, the processes and the README.

/** Of one run, unless it asks for other: less, or up to the highest. */
export const DEFAULTS = { timeoutMs: 500, memoryMb: 16 };

export const HIGHEST = { timeoutMs: 10_000, memoryMb: 64 };

export const CODE_MAX_CHARS = 64_000;
/** Their source texts together have as many characters as the code at most. */
export const MODULES_MAX = 20;
export const MODULE_NAME_MAX_CHARS = 200;
/** JSON; read and written on the thread that answers everybody. */
export const INPUT_MAX_BYTES = 128 * 1024;
export const OUTPUT_MAX_BYTES = 256 * 1024;
/** Levels of JSON within JSON, in and out: whatever looks into a value by recursion must come out again. */
export const DEPTH_MAX = 32;
/** Values within a value. */
export const NODES_MAX = 20_000;

/** Of the console: those beyond are left out, and a last one says so. */
export const LINES_MAX = 200;
export const LINE_MAX_CHARS = 1_000;
export const STACK_MAX_CHARS = 2_000;

/** Of host functions, in one run. */
export const CALLS_MAX = 20;
/** Of a call's values, and of its answer; JSON. */
export const CALL_MAX_CHARS = 64_000;
