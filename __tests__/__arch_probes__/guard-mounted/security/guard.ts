// Stands for the real one.
export const guardOf = (_service: string): unknown[] => [];
