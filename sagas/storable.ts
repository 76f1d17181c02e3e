// What a saga keeps of its input and of its steps' results: JSON, bounded.
const BYTES_MAX = 64 << 10;

/** Whether JSON text may be kept: Postgres stores no NUL in it. */
export const isStorable = (text: string): boolean => Buffer.byteLength(text) <= BYTES_MAX && !text.includes("\\u0000");
