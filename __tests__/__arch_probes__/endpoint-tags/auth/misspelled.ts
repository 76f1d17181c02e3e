// Breaks `endpoint-tags` six times: a permission and a limit that do not exist, each one letter away from one that does; two limits; a cost of nothing;
// owners of a thing of which nobody says whose it is; more for who has what no code asks for.
import { api } from "encore.dev/api";

export const one = api({ expose: true, path: "/one", tags: ["can:acount.read"] }, async (): Promise<void> => undefined);
export const two = api({ expose: true, path: "/two", tags: ["self", "limit:serch"] }, async (): Promise<void> => undefined);
export const right = api({ expose: true, path: "/right", tags: ["can:account.read", "limit:search"] }, async (): Promise<void> => undefined);
export const both = api({ expose: true, path: "/both", tags: ["self", "limit:search", "limit:default"] }, async (): Promise<void> => undefined);
export const free = api({ expose: true, path: "/free", tags: ["self", "cost:0"] }, async (): Promise<void> => undefined);
export const owned = api({ expose: true, path: "/owned/:id", tags: ["can:account.read", "owns:acount"] }, async (): Promise<void> => undefined);
export const ours = api({ expose: true, path: "/ours/:id", tags: ["can:account.read", "owns:account"] }, async (): Promise<void> => undefined);
export const showing = api({ expose: true, path: "/showing", tags: ["can:account.read", "shows:account.read"] }, async (): Promise<void> => undefined);
declareOwner("account", async () => null);
