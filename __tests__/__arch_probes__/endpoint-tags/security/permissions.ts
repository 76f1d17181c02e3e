// Breaks `endpoint-tags`: nothing asks for the last one. The second decides how much an answer tells.
export const permissions = ["account.read", "account.personal", "account.forgotten"] as const;
