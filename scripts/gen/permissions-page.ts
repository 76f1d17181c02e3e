// docs/permissions.md: who may do what, by role and by endpoint, as the sources say it. Its diff is what a reviewer reads
// when a permission changes hands.
import { matrix, operatorPermissions, permissions, roles } from "../../security/permissions";

/** What is read of the host's `.encore/groundwork/model.json`. */
export interface EndpointsModel {
  services: {
    endpoints: {
      service: string;
      name: string;
      expose: boolean;
      methods: string[];
      path: { kind: string; value: string }[];
      tags: string[];
    }[];
  }[];
}

const ACCESS = /^(can:|self$|caller$|public:|fresh$|own-proof$)/;

function endpointRows(model: EndpointsModel): string[] {
  const exposed = model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));
  return exposed
    .map(({ service, name, methods, path, tags }) => {
      const route = path
        .map(({ kind, value }) => (kind === "literal" ? value : kind === "param" ? `:${value}` : `*${value}`))
        .join("/");
      const access = tags.filter((tag) => ACCESS.test(tag)).map((tag) => `\`${tag}\``);
      const limit = tags.find((tag) => tag.startsWith("limit:"))?.slice("limit:".length) ?? "default";
      return `| \`${methods.join(", ")} /${route}\` | \`${service}.${name}\` | ${access.join(", ")} | ${tags.includes("probe") ? "none" : limit} |`;
    })
    .sort();
}

export function renderPermissions(model: EndpointsModel): string {
  const cells = permissions.map(
    (permission) =>
      `| \`${permission}\` | ${roles.map((role) => (matrix[permission][role] ? "yes" : "—")).join(" | ")} |`,
  );
  return `# Permissions

Written by \`npm run gen\` from \`security/permissions.ts\` and the endpoints' tags; \`__tests__/generated.test.ts\` holds it to them.

## By role

| permission | ${roles.join(" | ")} |
|---|${roles.map(() => "---|").join("")}
${cells.join("\n")}

The platform's staff (operators) are in no organisation and hold none of these. They may hold ${operatorPermissions.map((name) => `\`${name}\``).join(", ")}, which nobody else can.

## By endpoint

\`self\`: a person who is signed in, for what is theirs; \`caller\`: whoever brings valid credentials, an API key too; \`fresh\`: only within ten minutes of showing who one is (\`POST /auth/step-up\`); \`own-proof\`: only in a session that has shown something of the account's own, and not the word of an organisation's provider alone. Everything else than these tags is closed.

| request | endpoint | who may | limit |
|---|---|---|---|
${endpointRows(model).join("\n")}
`;
}
