export const outboxInsert = (): void => undefined;
