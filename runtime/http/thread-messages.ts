// What a request is on its way from the main thread to the worker thread that serves it, and its answer on the way back.
// Bodies that come in pieces travel as bytes of the same channel (threads/byte-stream.ts).
import type { IncomingHttpHeaders } from "node:http";
import type { EncodedResponse } from "../schema/response-codec";
import type { ErrorCode } from "./failure";

export const REQUEST = "http.request";
export const UPGRADE = "http.upgrade";
export const CALL = "http.call";
/** Main to workers: the port that is listened on. */
export const LISTENING = "http.listening";
/** Main to workers: the process ends, streams are closed. */
export const ENDING = "http.ending";

export interface CarriedRequest {
  method: string;
  url: string;
  httpVersion: string;
  /** Names and values in turn, as they arrived. */
  rawHeaders: string[];
  /** The same as node joins them. */
  headers: IncomingHttpHeaders;
  /** Address of the client. */
  remoteAddress: string;
  hasBody: boolean;
}

export interface CarriedUpgrade extends CarriedRequest {
  /** Bytes behind the request's head. */
  head: Uint8Array;
}

/** The head of an answer; `whole` is its body when there is only one piece, null for none. */
export interface CarriedHead {
  status: number;
  lines: string[];
  /** To be sent at once, before there is a body. */
  flush?: true;
  whole?: string | Uint8Array | null;
}

/** A call between services, as far as it is encoded. */
export interface CarriedCall {
  service: string;
  endpoint: string;
  inbound: { method: string; path: string; query: string; target: string; lines: string[] };
  body: string | undefined;
  /** The JSON text of the auth data. */
  caller: { userId: string; text: string } | null;
  parent: { traceId: string; spanId: string } | null;
}

export type CarriedAnswer =
  | { ok: EncodedResponse }
  | { failure: { code: ErrorCode; message: string; internal: string | null; details: string | null } };
