// The endpoints of docs/permissions.md, which __tests__/generated.test.ts holds to the sources.
import { readFileSync } from "node:fs";

export interface EndpointRow {
  /** "POST /auth/roles". */
  request: string;
  /** "auth.createRole". */
  name: string;
  tags: string[];
}

export const endpointRows: readonly EndpointRow[] = readFileSync(
  new URL("../../docs/permissions.md", import.meta.url),
  "utf8",
)
  .split("\n")
  .flatMap((line): EndpointRow[] => {
    const [, request, name, who] = /^\| `([A-Z]+ \/[^`]*)` \| `(\w+\.\w+)` \| (.*) \| \w+ \|$/.exec(line) ?? [];
    if (request === undefined || name === undefined || who === undefined) return [];
    return [{ request, name, tags: [...who.matchAll(/`([^`]+)`/g)].map(([, tag = ""]) => tag) }];
  });

/** Those that change something in somebody's name. */
export const changingRows = endpointRows.filter(
  ({ request, tags }) => !request.startsWith("GET ") && !tags.some((tag) => tag.startsWith("public:")),
);
