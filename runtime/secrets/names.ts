// Which secrets an app declares.
import type { AppModel } from "../model";

export function secretNames(model: AppModel): string[] {
  return [...new Set(model.packages.flatMap((p) => p.secrets))].sort();
}
