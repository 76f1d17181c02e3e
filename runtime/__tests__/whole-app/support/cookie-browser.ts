// What a browser does with cookies, for tests over HTTP: keeps what an answer sets, as long as it says, and sends it along
// with where the request comes from. It takes no cookie that a browser would refuse.
interface Answer {
  status: number;
  body: Record<string, unknown> & { details?: { reason?: string } };
  setCookies: string[];
}

export class CookieBrowser {
  readonly cookies = new Map<string, string>();

  constructor(private readonly baseUrl: string) {}

  /** A copy of what it holds now. */
  clone(): CookieBrowser {
    const copy = new CookieBrowser(this.baseUrl);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await this.askWithoutKeeping(method, path, body, {
      origin: new URL(this.baseUrl).origin,
      ...headers,
    });
    this.keep(answer.setCookies);
    return answer;
  }

  post(path: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask("POST", path, body, headers);
  }

  /** As its jar stands, with these headers alone; what the answer sets gets lost. */
  async askWithoutKeeping(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(this.baseUrl + path, {
      method,
      redirect: "manual",
      headers: {
        ...(cookie === "" ? {} : { cookie }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = (response.headers.get("content-type") ?? "").includes("json") && text !== "";
    return {
      status: response.status,
      body: (isJson ? JSON.parse(text) : {}) as Answer["body"],
      setCookies: response.headers.getSetCookie(),
    };
  }

  /** @throws Error for a `__Host-` cookie that browsers refuse (RFC 6265bis §5.7). */
  keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split("; ");
      const name = pair.slice(0, pair.indexOf("="));
      const isHostOnly = attributes.includes("Secure") && attributes.includes("Path=/") && !/domain/i.test(line);
      if (name.startsWith("__Host-") && !isHostOnly) throw new Error(`browsers refuse ${line}`);
      if (attributes.includes("Max-Age=0")) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(pair.indexOf("=") + 1));
    }
  }
}
