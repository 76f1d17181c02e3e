{
  // No platform id: the app is not linked to anything.
  "id": "",
  "lang": "typescript",
  "global_cors": {
    // What a page on another origin needs to wait as long as it was told to: browsers hide these from scripts otherwise.
    "expose_headers": ["Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed"],
    // What the guard reads: of headers that endpoints declare the host knows by itself.
    "allow_headers": ["X-Organisation-Id", "Idempotency-Key"],
  },
}
