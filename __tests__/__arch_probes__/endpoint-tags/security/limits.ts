export const limitPolicies = { default: {}, search: {} } as const;
