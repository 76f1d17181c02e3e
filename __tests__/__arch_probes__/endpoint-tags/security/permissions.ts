// Breaks `endpoint-tags`: no endpoint asks for the last two. The second decides how much an answer shows, and stands at the endpoint.
export const permissions = ["account.read", "account.personal", "account.secret", "account.forgotten"] as const;
