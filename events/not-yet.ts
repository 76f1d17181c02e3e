// What a destination says of rows that it would take, but not yet.

/** A destination that would take some of the rows later. None was accepted; without those it may take the others at once. */
export class NotYetError extends Error {
  override readonly name = "NotYetError";
  constructor(
    message: string,
    /** Ids of the rows that must wait. */
    readonly rowIds: ReadonlySet<string>,
  ) {
    super(message);
  }
}
