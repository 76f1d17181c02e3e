// What others reach: browsers of other origins, the address that mails and links name, and the page of metrics.
import { error, type Check, warning } from "./finding";

const ASK_LIMIT_MS = 3_000;
const LOCAL = /^(?:localhost|127\.|\[::1\])/;

export const cors: Check = ({ config, model }) => {
  const origins = (config?.cors ?? model.app.globalCors)?.allowOriginsWithCredentials ?? [];
  const open = origins.filter((origin) => origin === "*" || origin === "https://*" || origin === "http://*");
  return open.map((origin) =>
    error(
      "cors_any_origin_with_credentials",
      `any website may call the API with a visitor's cookies (allow_origins_with_credentials: "${origin}")`,
      "Name the origins of your own pages, in encore.app or under cors of the infra config.",
    ),
  );
};

const baseUrlOf = ({ env, config }: Parameters<Check>[0]): string | undefined =>
  env.GROUNDWORK_BASE_URL ?? config?.metadata.base_url;

export const baseUrl: Check = (patient) => {
  const address = baseUrlOf(patient);
  if (!patient.isProduction) return [];
  if (address !== undefined && URL.canParse(address) && new URL(address).protocol === "https:") return [];
  const what =
    address === undefined ? "nothing says at which address the API is reached" : `the API's address is ${address}`;
  return [
    warning(
      "base_url_insecure",
      `${what}: links in mails and redirects lead there`,
      "Set GROUNDWORK_BASE_URL, or metadata.base_url of the infra config, to the https address of your proxy.",
    ),
  ];
};

export const metrics: Check = async (patient) => {
  const address = baseUrlOf(patient);
  if (!patient.isProduction || address === undefined || !URL.canParse(address) || LOCAL.test(new URL(address).host))
    return [];
  const answer = await fetch(new URL("/metrics", address), {
    redirect: "manual",
    signal: AbortSignal.timeout(ASK_LIMIT_MS),
  }).catch(() => undefined);
  await answer?.body?.cancel();
  if (answer?.status !== 200) return [];
  return [
    warning(
      "metrics_public",
      `anybody can read ${new URL("/metrics", address).href}`,
      "Let your proxy refuse the path from outside, narrow METRICS_ALLOW, or ask for METRICS_TOKEN.",
    ),
  ];
};
