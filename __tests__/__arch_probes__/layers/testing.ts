import type { DomainEvent } from "./events/event";

export const createCaller = (): Partial<DomainEvent> => ({});
