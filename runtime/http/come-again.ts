// Headers that Encore's errors cannot carry, told by an error's details: `retryAfterSeconds` becomes Retry-After (RFC 9110
// §10.2.3), and `limit: {name, quota, windowSeconds}` the fields RateLimit-Policy and RateLimit
// (draft-ietf-httpapi-ratelimit-headers-10) of a quota that has nothing left. `retryable: false` becomes x-should-retry, by which
// the stock clients of OpenAI's and Anthropic's protocols know that they are not to repeat a 5xx by themselves.

/** Header lines: names and values in turn. */
export function comeAgain({ retryAfterSeconds, limit, retryable }: Record<string, unknown>): readonly string[] {
  if (retryable === false) return ["x-should-retry", "false"];
  if (typeof retryAfterSeconds !== "number" || !Number.isFinite(retryAfterSeconds) || retryAfterSeconds < 0) return [];
  const seconds = Math.ceil(retryAfterSeconds);
  return ["retry-after", String(seconds), ...rateLimit(limit, seconds)];
}

/** What a structured-field string may hold as it is (RFC 9651 §3.3.3). */
const plain = /^[\w .:/-]{1,64}$/;
/** RFC 9651 §3.3.1: fifteen digits. */
const INTEGER_MAX = 999_999_999_999_999;

function rateLimit(limit: unknown, seconds: number): string[] {
  if (typeof limit !== "object" || limit === null) return [];
  const { name, quota, windowSeconds } = limit as Record<string, unknown>;
  if (typeof name !== "string" || !plain.test(name) || !isInteger(quota) || !isInteger(windowSeconds)) return [];
  return [
    "ratelimit-policy",
    `"${name}";q=${quota};w=${windowSeconds}`,
    "ratelimit",
    `"${name}";r=0;t=${Math.min(seconds, INTEGER_MAX)}`,
  ];
}

const isInteger = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= INTEGER_MAX;
