// The result of a service call that failed (contract G-40): resolved, not rejected; the SDK makes an APIError of it.

export class ApiCallError {
  constructor(
    readonly code: string,
    readonly message: string,
    readonly details: Record<string, unknown> | null,
  ) {}
}
