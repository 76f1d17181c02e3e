// What a service with endpoints tagged `idempotent` does when it is loaded.
import { useAnswerKeeper } from "../security/idempotency";
import { useMasterKey } from "./answer";
import { keepAnswers } from "./keep-answers";

/** Called in its encore.service.ts with the secret MasterKey, which only a service may read. */
export function startIdempotency(masterKey: () => string): void {
  useMasterKey(masterKey);
  useAnswerKeeper(keepAnswers);
}
