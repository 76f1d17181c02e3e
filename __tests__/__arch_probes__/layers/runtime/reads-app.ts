// Breaks `layers`: the host imports nothing of the application, not even lazily.
export const load = (): Promise<unknown> => import("../events/event");
