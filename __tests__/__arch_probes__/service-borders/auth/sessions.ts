export const sessions = new Map<string, string>();
