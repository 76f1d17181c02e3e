// What business services obey of the environment, for schema.test.ts: texts that each variable takes and refuses, and one of each with what
// becomes of it.
const some = { good: ["1"], bad: ["0"] };

export const serviceSamples = {
  ASSETS_FILE_BYTES_MAX: some,
  ASSETS_TENANT_BYTES_MAX: some,
  ASSETS_TENANT_FILES_MAX: some,
  SANDBOX_PROCESSES: { good: ["1", "64"], bad: ["0", "65", "many"] },
  SANDBOX_WITHOUT_KERNEL_LIMITS: { good: ["warn", "refuse"], bad: ["run", "true"] },
};

export const serviceValues = {
  ASSETS_FILE_BYTES_MAX: "5",
  ASSETS_TENANT_BYTES_MAX: "6",
  ASSETS_TENANT_FILES_MAX: "7",
  SANDBOX_PROCESSES: "3",
  SANDBOX_WITHOUT_KERNEL_LIMITS: "warn",
};

export const serviceConfig = {
  assets: { fileBytesMax: 5, tenantBytesMax: 6, tenantFilesMax: 7 },
  sandbox: { processes: 3, withoutKernelLimits: "warn" },
};
