{
  // No platform id: the app is not linked to anything.
  "id": "",
  "lang": "typescript",
  "global_cors": {
    // What a page on another origin needs to wait as long as it was told to: browsers hide these from scripts otherwise.
    "expose_headers": ["Retry-After", "RateLimit", "RateLimit-Policy"],
  },
}
