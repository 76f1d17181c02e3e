// Breaks `endpoint-tags` three times: no access tag, two of them, one that the guard does not know.
import { api } from "encore.dev/api";
import { can } from "../security/permissions";

export const open = api({ expose: true, method: "GET", path: "/open", tags: ["limit:default"] }, async (): Promise<void> => undefined);
export const twice = api({ expose: true, path: "/twice", tags: ["self", "can:account.read"] }, async (): Promise<void> => undefined);
export const unknown = api.raw({ expose: true, path: "/unknown", tags: ["can:everything"] }, async (_request, response) => void response.end());

// No endpoint says that it shows more to who has the second one.
export const knows = (caller: object): boolean => can(caller, "account.secret");

// Correct:
export const told = (caller: object): boolean => can(caller, "account.personal");
export const shown = api({ expose: true, path: "/shown", tags: ["can:account.read", "shows:account.personal"] }, async (): Promise<void> => undefined);
export const inner = api({ path: "/inner" }, async (): Promise<void> => undefined);
export const login = api({ expose: true, path: "/login", tags: ["public:sign-in"] }, async (): Promise<void> => undefined);
