// The error value of bucket operations (13.3): the SDK turns it into its own classes by `kind`.

export const ObjectErrorKind = {
  NotFound: 0,
  PreconditionFailed: 1,
  InvalidArgument: 2,
  Other: 3,
  Internal: 4,
} as const;
export type ObjectErrorKind = (typeof ObjectErrorKind)[keyof typeof ObjectErrorKind];

export class TypedObjectError {
  kind: ObjectErrorKind;
  message: string;

  constructor(kind: ObjectErrorKind, message: string) {
    this.kind = kind;
    this.message = message;
  }
}
