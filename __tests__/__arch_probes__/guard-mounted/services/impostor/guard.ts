export const guard: unknown[] = [];
