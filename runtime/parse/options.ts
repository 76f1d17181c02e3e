// What a parse can be told.
export interface ParseOptions {
  /** Accept types that Encore's own parser refuses although they have an obvious form on the wire; by default as the app's package.json says. */
  extended?: boolean;
}
