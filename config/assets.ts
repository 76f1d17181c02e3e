// What an organisation may keep as files (services/assets).
import { integer } from "./variable";

export const assetVariables = {
  ASSETS_FILE_BYTES_MAX: integer(1, 5_368_709_120),
  ASSETS_TENANT_BYTES_MAX: integer(1, 1_000_000_000_000_000),
  ASSETS_TENANT_FILES_MAX: integer(1, 100_000_000),
};

export interface AssetLimits {
  fileBytesMax: number;
  /** Equal bytes count once. */
  tenantBytesMax: number;
  /** Versions of files. */
  tenantFilesMax: number;
}

export const assetLimits = (v: { [Name in keyof typeof assetVariables]?: number | undefined }): AssetLimits => ({
  fileBytesMax: v.ASSETS_FILE_BYTES_MAX ?? 26_214_400,
  tenantBytesMax: v.ASSETS_TENANT_BYTES_MAX ?? 1_073_741_824,
  tenantFilesMax: v.ASSETS_TENANT_FILES_MAX ?? 10_000,
});
