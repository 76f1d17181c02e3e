// Asks the running app, as a client of any language would: paths and headers go out as they are.
import { Pool } from "undici";
import { shownOf } from "../shown-of";
import type { FuzzRequest } from "./requests";

export interface Answer {
  status: number;
  type: string;
  body: string;
  cookies: string[];
}

export interface Attempt {
  token?: string;
  method?: string;
  cookie?: string;
}

export class Asker {
  private readonly pool: Pool;

  constructor(baseUrl: string, lanes: number) {
    this.pool = new Pool(baseUrl, { connections: lanes, headersTimeout: 60_000, bodyTimeout: 60_000 });
  }

  close(): Promise<void> {
    return this.pool.close();
  }

  async send({ method, path, headers, body }: FuzzRequest): Promise<Answer> {
    const response = await this.pool.request({ method, path, headers, body: body ?? null });
    return {
      status: response.statusCode,
      type: String(response.headers["content-type"] ?? ""),
      body: await shownOf(response),
      cookies: [response.headers["set-cookie"] ?? []].flat(),
    };
  }

  /** The answer's body. @throws Error for one that refuses. */
  async call<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
    const headers = { ...JSON_TYPE, ...bearer(token) };
    const sent = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await this.send(sent);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return (answer.body === "" ? undefined : JSON.parse(answer.body)) as T;
  }

  /** Whatever the answer is, with the cookies that it sets: a page of ours asks, for others are given none. */
  async tryTo(
    path: string,
    body: unknown,
    { token, method = "POST", cookie }: Attempt = {},
  ): Promise<{ status: number; text: string; cookies: string[] }> {
    const own = { "sec-fetch-site": "same-origin", ...(cookie === undefined ? {} : { cookie }) };
    const headers = { ...JSON_TYPE, ...bearer(token), ...own };
    const answer = await this.send({ method, path, headers, body: JSON.stringify(body) });
    const cookies = answer.cookies.map(valueOf).filter((value) => value !== "");
    return { status: answer.status, text: answer.body, cookies };
  }
}

export const JSON_TYPE = { "content-type": "application/json" };
export const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

const valueOf = (cookie: string): string => /=([^;]*)/.exec(cookie)?.[1] ?? "";
