// Breaks `layers`: db stands below events, even for a type.
import type { DomainEvent } from "../events/event";

export type Stored = { event: DomainEvent };
