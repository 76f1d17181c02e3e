// Cases of the HTTP kit that end differently on purpose, with the reason. One that is no longer needed fails.

export const exceptions: Record<string, string> = {
  "body-number-neg-unsafe": "integers below -2^53 keep their value; officially they come out as garbage",
  "body-map-proto": "`__proto__` in a map is an ordinary key; officially it replaces the prototype of the payload",
  "body-any-proto": "`__proto__` in a free-form value is an ordinary key; officially it replaces the prototype",
  "raw-write-throwAfterWrite":
    "a raw handler that throws in the middle of its answer cuts the connection; officially the client waits for ever",
  "raw-finish-empty-fired":
    "an answer without a body ends with `finish`, as node's own does; officially it never comes",
  "path-raw-utf8": "node's HTTP parser refuses request targets with bytes beyond ASCII (RFC 9112, 3.2): 400",
  "raw-echo-latin1-query": "as path-raw-utf8, in the query",
};
