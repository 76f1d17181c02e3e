// Texts of a built folder that are about where it runs: the Dockerfile and the infra config to fill in.
import type { AppModel } from "../model";
import { secretNames } from "./environment";

/** Two stages, so that npm's cache stays out of the image. The state folder is where buckets are kept. */
export const dockerfile = `FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json* ./
RUN if [ -f package-lock.json ]; then npm ci --omit=dev --no-audit --no-fund; else npm install --omit=dev --no-audit --no-fund; fi

FROM node:24-bookworm-slim
ENV NODE_ENV=production PORT=8080
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY . .
RUN mkdir -p .groundwork && chown node:node .groundwork
USER node
EXPOSE 8080
CMD ["node", "host/start.js"]
`;

export const dockerignore = "node_modules\n.groundwork\nDockerfile\n.dockerignore\n";

const variable = (name: string): { $env: string } => ({ $env: name });

/** An infra config in Encore's format whose every blank is an environment variable: usable as it is. */
export function infraConfigTemplate(model: AppModel): object {
  const login = { username: variable("POSTGRES_USER"), password: variable("POSTGRES_PASSWORD") };
  const databases = Object.fromEntries(model.databases.map(({ name }) => [name, { name, ...login }]));
  const secrets = Object.fromEntries(secretNames(model).map((name) => [name, variable(name)]));
  return {
    $schema: "https://encore.dev/schemas/infra.schema.json",
    metadata: {
      app_id: model.app.id,
      env_name: "production",
      env_type: "production",
      cloud: "local",
      base_url: "http://localhost:8080",
    },
    graceful_shutdown: { total: 10 },
    ...(model.databases.length ? { sql_servers: [{ host: variable("POSTGRES_HOST"), databases }] } : {}),
    ...(Object.keys(secrets).length ? { secrets } : {}),
    hosted_services: model.services.map(({ name }) => name),
    hosted_gateways: model.gateways.map(({ name }) => name),
  };
}
