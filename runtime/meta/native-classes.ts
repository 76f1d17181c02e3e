// Enumerations and shapes of the app's metadata (13.1, X-60). The numbers are the ones of napi.d.cts.

export const EnvironmentType = { Production: 0, Development: 1, Ephemeral: 2, Test: 3 } as const;
export type EnvironmentType = (typeof EnvironmentType)[keyof typeof EnvironmentType];

export const CloudProvider = { AWS: 0, GCP: 1, Azure: 2, Encore: 3, Local: 4 } as const;
export type CloudProvider = (typeof CloudProvider)[keyof typeof CloudProvider];

export interface AppMeta {
  appId: string;
  apiBaseUrl: string;
  environment: { name: string; type: EnvironmentType; cloud: CloudProvider };
  build: { revision: string; uncommittedChanges: boolean };
  deploy: { id: string; deployTime: string; hostedServices: Record<string, { name: string }> };
}
