export const more: unknown[] = [];
