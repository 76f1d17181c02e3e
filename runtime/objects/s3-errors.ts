// What a failure of the AWS SDK means in the terms of a bucket.
import { notFound, ObjectProblem, otherProblem, preconditionFailed } from "./errors";

/** As the SDK throws them: `name` is S3's code, a failure without an answer has node's `code` instead. */
interface SdkFailure {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number; requestId?: string };
}

/** `NotFound` is what a HEAD gets, which has no body to carry a code. A missing bucket is something else. */
const missingObject = new Set(["NoSuchKey", "NotFound", "NoSuchVersion"]);

/**
 * @param failure what was thrown
 * @param doing completes "S3 could not …", naming the bucket
 */
export function s3Problem(failure: unknown, doing: string): ObjectProblem {
  if (failure instanceof ObjectProblem) return failure;
  const { name, message, code, $metadata } = failure as SdkFailure;
  const status = $metadata?.httpStatusCode;
  if (status === 404 && missingObject.has(name ?? "")) return notFound();
  if (status === 412) return preconditionFailed();
  const told = [code ?? name, message]
    .filter((text) => text !== undefined && text !== "" && text !== "UnknownError")
    .join(": ");
  const answer =
    status === undefined ? "" : ` (HTTP ${status}${$metadata?.requestId ? `, request ${$metadata.requestId}` : ""})`;
  return otherProblem(`S3 could not ${doing}: ${told}${answer}`);
}
