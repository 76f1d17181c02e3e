export const defineEvent = <T>(definition: T): T => definition;
