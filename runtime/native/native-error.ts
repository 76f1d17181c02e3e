// Errors as napi throws them: a plain `Error` whose only own field is `code`. Apps see and compare both.

export type NativeCode = "GenericFailure" | "InvalidArg";

export function nativeError(message: string, code: NativeCode = "GenericFailure", cause?: unknown): Error {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { code });
}
