// How a file is shown to its organisation.
import { failures, isFailure } from "./readable";
import type { AssetStatus, ShownAsset } from "./store/assets";

export interface Shown {
  id: string;
  name: string;
  version: number;
  mediaType: string;
  bytes: number;
  sha256: string;
  status: AssetStatus;
  error?: string;
  documentId?: string;
  createdAt: string;
  updatedAt: string;
}

/** Why its text was not read, in words. */
const textOf = (reason: string): string => (isFailure(reason) ? failures[reason] : failures.given_up);

export function shownAsset(asset: ShownAsset): Shown {
  const { id, name, version, mediaType, bytes, sha256, status, reason, documentId, createdAt, updatedAt } = asset;
  return {
    ...{ id, name, version, mediaType, bytes, sha256, status },
    ...(reason === null ? {} : { error: `${reason}: ${textOf(reason)}` }),
    ...(documentId === null ? {} : { documentId }),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
