// The demo's way to the running app: plain HTTP, as any client would, with the manners a client needs (waiting
// when told to, signing in again when the token has expired, trying again when the server is away).
import { setTimeout as sleep } from "node:timers/promises";

export interface Person {
  email: string;
  password: string;
  organisation: string;
}

interface Session {
  accessToken: string;
}

/** An answer that no waiting will change. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }
}

const TRIES = 8;
const MAX_WAIT_MS = 60_000;

export class ApiClient {
  private token: string | undefined;

  constructor(
    readonly baseUrl: string,
    private readonly person: Person,
  ) {}

  /**
   * Signs in, registering the person when the app does not know them (another database, perhaps). `isNew` says
   * which to try first. True when the person was registered.
   */
  async signIn(isNew: boolean): Promise<boolean> {
    const tries = isNew ? [() => this.register(), () => this.login()] : [() => this.login(), () => this.register()];
    const [first, second] = tries;
    try {
      await first?.();
      return isNew;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 401 && error.status !== 409)) throw error;
    }
    await second?.();
    return !isNew;
  }

  private async register(): Promise<void> {
    this.token = (await this.send<Session>("POST", "/auth/register", this.person)).accessToken;
  }

  /** A token of now, to print. */
  async freshToken(): Promise<string> {
    await this.login();
    return this.token ?? "";
  }

  /** @throws ApiError for an answer of 4xx, or when the server stays away. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    try {
      return await this.send<T>(method, path, body);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      await this.login();
      return this.send<T>(method, path, body);
    }
  }

  private async login(): Promise<void> {
    const { email, password } = this.person;
    this.token = (await this.send<Session>("POST", "/auth/login", { email, password })).accessToken;
  }

  private async send<T>(method: string, path: string, body?: unknown): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.fetch(method, path, body).catch((error: Error) => error);
      if (!(response instanceof Error) && response.ok) return (await response.json()) as T;
      const failure = response instanceof Error ? unreachable(this.baseUrl, response) : await errorOf(response);
      const isPassing = failure.status === 429 || failure.status >= 500;
      if (!isPassing || attempt >= TRIES) throw failure;
      await sleep(waitMs(failure, attempt));
    }
  }

  private fetch(method: string, path: string, body: unknown): Promise<Response> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.token !== undefined && !path.startsWith("/auth/")) headers.authorization = `Bearer ${this.token}`;
    return fetch(this.baseUrl + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
  }
}

function unreachable(baseUrl: string, cause: Error): ApiError {
  return Object.assign(new ApiError(503, "unreachable", `${baseUrl} cannot be reached`), { cause });
}

async function errorOf(response: Response): Promise<ApiError> {
  const { details, message = `the app answered ${response.status}` } = (await response
    .json()
    .catch(() => ({}))) as ErrorBody;
  const header = response.headers.get("retry-after");
  return new ApiError(
    response.status,
    details?.reason ?? "",
    message,
    details?.retryAfterSeconds ?? (header === null ? undefined : Number(header)),
  );
}

interface ErrorBody {
  message?: string;
  details?: { reason?: string; retryAfterSeconds?: number } | null;
}

function waitMs({ retryAfterSeconds }: ApiError, attempt: number): number {
  return Math.min(
    MAX_WAIT_MS,
    retryAfterSeconds === undefined || Number.isNaN(retryAfterSeconds)
      ? 250 * 2 ** attempt
      : Math.max(retryAfterSeconds * 1000, 250),
  );
}
