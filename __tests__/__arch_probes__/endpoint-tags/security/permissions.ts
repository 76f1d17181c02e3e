export const permissions = ["account.read"] as const;
