// Shapes of napi.d.cts that more than one class family needs.

/** What registerHandlers hands over, per endpoint (G-20, 13.2). */
export interface ApiRoute {
  service: string;
  name: string;
  raw: boolean;
  streamingRequest: boolean;
  streamingResponse: boolean;
  handler: (...args: unknown[]) => unknown;
  /** There in SDKs before 1.45 only, whose wrappers return the handler's result as it is. */
  apiRoute?: unknown;
}

export interface CallOpts {
  authData?: Record<string, unknown>;
}
