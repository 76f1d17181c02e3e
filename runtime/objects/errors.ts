// Why a bucket operation did not work. Operations resolve with `TypedObjectError`, they do not reject.
import { ObjectErrorKind, TypedObjectError } from "./object-error";

/** Thrown inside; becomes a `TypedObjectError` at the native border. */
export class ObjectProblem extends Error {
  readonly kind: ObjectErrorKind;
  constructor(kind: ObjectErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

export const notFound = (): ObjectProblem => new ObjectProblem(ObjectErrorKind.NotFound, "object not found");
export const preconditionFailed = (): ObjectProblem =>
  new ObjectProblem(ObjectErrorKind.PreconditionFailed, "precondition failed");
export const invalidArgument = (): ObjectProblem =>
  new ObjectProblem(ObjectErrorKind.InvalidArgument, "invalid argument");
export const otherProblem = (message: string): ObjectProblem => new ObjectProblem(ObjectErrorKind.Other, message);

/** Runs `work`; a failure comes back as a value. */
export async function settled<T>(work: () => Promise<T>): Promise<T | TypedObjectError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ObjectProblem) return new TypedObjectError(error.kind, error.message);
    return new TypedObjectError(ObjectErrorKind.Internal, error instanceof Error ? error.message : String(error));
  }
}
