// docs/permissions.md: who may do what, by role and by endpoint, as the sources say it. Its diff is what a reviewer reads
// when a permission changes hands.
import { matrix, operatorPermissions, permissions, roles } from "../../security/permissions";
import { cellOf, customPermissions, machinePermissions, matrixCallers } from "./permission-callers";

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

type Endpoint = EndpointsModel["services"][number]["endpoints"][number];

const ACCESS = /^(can:|owns:|shows:|self$|caller$|public:|fresh$|own-proof$)/;

const exposedIn = (model: EndpointsModel): Endpoint[] =>
  model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));

const routeOf = ({ path }: Endpoint): string =>
  path.map(({ kind, value }) => (kind === "literal" ? value : kind === "param" ? `:${value}` : `*${value}`)).join("/");

function endpointRows(model: EndpointsModel): string[] {
  return exposedIn(model)
    .map((endpoint) => {
      const { service, name, methods, tags } = endpoint;
      const access = tags.filter((tag) => ACCESS.test(tag)).map((tag) => `\`${tag}\``);
      const limit = tags.find((tag) => tag.startsWith("limit:"))?.slice("limit:".length) ?? "default";
      return `| \`${methods.join(", ")} /${routeOf(endpoint)}\` | \`${service}.${name}\` | ${access.join(", ")} | ${tags.includes("probe") ? "none" : limit} |`;
    })
    .sort();
}

/** A row for each method and path: what each caller of the table is told there. */
function callerRows(model: EndpointsModel): string[] {
  return exposedIn(model)
    .flatMap((endpoint) =>
      endpoint.methods.map((method) => {
        const cells = Object.values(matrixCallers).map((caller) => cellOf(endpoint.tags, caller));
        return `| \`${method} /${routeOf(endpoint)}\` | ${cells.join(" | ")} |`;
      }),
    )
    .sort();
}

const named = (permissionNames: readonly string[]): string => permissionNames.map((name) => `\`${name}\``).join(", ");

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

The platform's staff (operators) are in no organisation and hold none of these. They may hold ${named(operatorPermissions)}, which nobody else can.

## By endpoint

\`self\`: a person who is signed in, for what is theirs; \`caller\`: whoever brings valid credentials, an API key too; \`fresh\`: only within ten minutes of showing who one is (\`POST /auth/step-up\`); \`owns:\`: for who owns the thing that \`:id\` names, or holds its \`.manage\`, to all others it does not exist; \`shows:\`: some fields only for who has it, in their place a word for all others; \`own-proof\`: only in a session that has shown something of the account's own, and not the word of an organisation's provider alone. Everything else than these tags is closed.

| request | endpoint | who may | limit |
|---|---|---|---|
${endpointRows(model).join("\n")}

## By caller

What each caller is told by each endpoint's guard; \`runtime/__tests__/whole-app/permission-matrix.ts\` asks for every cell. \`yes\`: let in, to what the request names;
\`own\`: to what is the caller's own, all else does not exist; \`—\`: 403 \`permission_denied\`; \`401\`: sign in; \`none\`: 403 \`no_organisation\`; \`step-up\`: 403 \`step_up_required\`; \`own proof\`: 403 \`own_proof_required\`.

All people have just signed in, but for the owner an hour later; who is in none has chosen no organisation, and who is vouched for has besides shown nothing but the word of
an organisation's provider. The custom role holds ${named(customPermissions)}; the key all that a key may; the machine's key ${named(machinePermissions)}.

| request | ${Object.keys(matrixCallers).join(" | ")} |
|---|${Object.keys(matrixCallers)
    .map(() => "---|")
    .join("")}
${callerRows(model).join("\n")}
`;
}
