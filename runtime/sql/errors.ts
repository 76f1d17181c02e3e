// The plain errors that SQL calls reject with. `code` is the native binding's, not the SQLSTATE (D-30); the
// SQLSTATE stands beside it as a property that printing does not show, for code that knows this host.
import type { ServerError } from "./rust-debug";

export type NativeCode = "GenericFailure" | "InvalidArg" | "StringExpected";

export function nativeError(message: string, code: NativeCode = "GenericFailure"): Error {
  return Object.assign(new Error(message), { code });
}

/** An error the server reported, under the text given. */
export function serverError(message: string, error: ServerError): Error {
  return Object.defineProperty(nativeError(message), "sqlState", { value: error.code, enumerable: false });
}

/** What the constructor of `QueryArgs` and the encoders throw before anything is sent. */
export class ParameterProblem extends Error {
  override name = "ParameterProblem";
}
