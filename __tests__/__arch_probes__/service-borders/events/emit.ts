export const emit = (): void => undefined;
