// The manifests are held to the app and to each other: nothing runs as root or writes to its root, probes ask paths that
// there are, only what operates has the operator's login, and everything that is named is there.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseConfig } from "../../config/schema";

const folder = join(import.meta.dirname, "..", "kubernetes");
const root = join(folder, "..", "..");
const read = (file: string): string => readFileSync(join(folder, file), "utf8");

interface Container {
  name: string;
  image: string;
  command?: string[];
  ports?: { name: string; containerPort: number }[];
  envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  securityContext: object;
  volumeMounts: { name: string; mountPath: string }[];
  resources: { limits: { memory: string } };
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
}
interface Probe {
  httpGet: { path: string; port: string };
}
interface Pod {
  metadata: { labels: Record<string, string> };
  spec: {
    automountServiceAccountToken: boolean;
    securityContext: object;
    containers: Container[];
    volumes: { name: string }[];
    terminationGracePeriodSeconds?: number;
  };
}
interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: {
    template?: Pod;
    jobTemplate?: { spec: { template: Pod } };
    selector?: Record<string, unknown>;
    podSelector?: { matchLabels: Record<string, string> };
    replicas?: number;
    minReplicas?: number;
    minAvailable?: number;
    scaleTargetRef?: { kind: string; name: string };
  };
}

interface Kustomization {
  resources: string[];
  images: { name: string }[];
  configMapGenerator: { name: string; literals: string[] }[];
}
const kustomization = parse(read("kustomization.yaml")) as Kustomization;
const manifests = kustomization.resources.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => {
    expect({ file, errors: document.errors }).toEqual({ file, errors: [] });
    return document.toJS() as Manifest;
  }),
);
const named = (kind: string, name: string): Manifest | undefined =>
  manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
const podOf = ({ spec }: Manifest): Pod | undefined => spec.jobTemplate?.spec.template ?? spec.template;
const pods = manifests.flatMap((manifest) => podOf(manifest) ?? []);
const containers = pods.flatMap(({ spec }) => spec.containers);
const probes = readFileSync(join(root, "telemetry", "api.ts"), "utf8");
const operations = readFileSync(join(root, "runtime", "commands", "operate.ts"), "utf8");

test("every container is confined: no root, no way to more rights, a root that is read only, and a bound of memory", () => {
  expect(containers.map(({ name }) => name)).toEqual(["app", "migrate", "backup"]);
  for (const { spec } of pods) {
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: "RuntimeDefault" },
    });
  }
  for (const container of containers) {
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.resources.limits.memory).toMatch(/^\d+[MG]i$/);
  }
});

test("what the app writes to is a volume, and every volume that is mounted is there", () => {
  for (const { spec } of pods)
    for (const { volumeMounts } of spec.containers) {
      expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(
        expect.arrayContaining(["/app/.groundwork", "/tmp"]),
      );
      expect(volumeMounts.filter(({ name }) => !spec.volumes.some((volume) => volume.name === name))).toEqual([]);
    }
});

test("probes ask paths that the app has, at the port at which it listens", () => {
  const [app] = containers;
  const asked = [app?.startupProbe, app?.livenessProbe, app?.readinessProbe].map((probe) => probe?.httpGet);
  expect(asked.map((get) => get?.path)).toEqual(["/livez", "/livez", "/readyz"]);
  for (const get of asked) {
    expect(probes).toContain(`path: "${get?.path ?? ""}"`);
    expect(app?.ports?.find(({ name }) => name === get?.port)?.containerPort).toBe(8080);
  }
});

test("only what operates has the operator's login, and runs a command that there is", () => {
  const secretsOf = ({ envFrom }: Container): string[] => envFrom.flatMap(({ secretRef }) => secretRef?.name ?? []);
  for (const container of containers) {
    const operates = container.name !== "app";
    expect(secretsOf(container)).toEqual([operates ? "groundwork-operator" : "groundwork-app"]);
    if (operates) expect(operations).toMatch(new RegExp(`^  ${container.command?.[2] ?? ""}: `, "m"));
    else expect(container.command).toBeUndefined();
  }
  for (const { metadata, spec } of pods)
    expect(metadata.labels["groundwork/operates"]).toBe(spec.containers[0]?.name === "app" ? undefined : "true");
});

test("what is given to the app is a configuration that it takes in production", () => {
  const [map] = kustomization.configMapGenerator;
  const given = Object.fromEntries(
    (map?.literals ?? []).map((literal) => literal.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const secret = { REDIS_URL: "rediss://redis", MAIL_URL: "smtps://mail.example.com" };
  expect(parseConfig({ ...given, ...secret }).env).toBe("production");
  expect(containers.every(({ envFrom }) => envFrom[0]?.configMapRef?.name === map?.name)).toBe(true);
  expect(kustomization.images.map(({ name }) => name)).toEqual([...new Set(containers.map(({ image }) => image))]);
});

test("selectors select, and a disruption leaves replicas that serve", () => {
  const labels = named("Deployment", "groundwork")?.spec.template?.metadata.labels;
  expect(labels).toEqual({ app: "groundwork" });
  expect(named("Service", "groundwork")?.spec.selector).toEqual(labels);
  expect(named("PodDisruptionBudget", "groundwork")?.spec.selector).toEqual({ matchLabels: labels });
  expect(named("NetworkPolicy", "groundwork")?.spec.podSelector?.matchLabels).toEqual(labels);
  expect(named("NetworkPolicy", "groundwork-operates")?.spec.podSelector?.matchLabels).toEqual({
    "groundwork/operates": "true",
  });
  const scaler = named("HorizontalPodAutoscaler", "groundwork")?.spec;
  expect(scaler?.scaleTargetRef).toMatchObject({ kind: "Deployment", name: "groundwork" });
  expect(named("PodDisruptionBudget", "groundwork")?.spec.minAvailable).toBeLessThan(scaler?.minReplicas ?? 0);
});
