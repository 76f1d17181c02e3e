export const guardOf = (_service: string): unknown[] => [];
