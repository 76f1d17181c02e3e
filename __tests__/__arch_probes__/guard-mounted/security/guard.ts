// Stands for the real one.
export const guard: unknown[] = [];
