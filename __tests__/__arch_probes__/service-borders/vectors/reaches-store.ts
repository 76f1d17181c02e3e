// Breaks `service-borders`: the store of a foundation service is not its library part.
import { outboxInsert } from "../events/store";

export const insert = outboxInsert;
