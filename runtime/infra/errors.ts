// Errors of the infrastructure that the person at the terminal can do something about.

/** Its message says what is wrong and what to do; shown without a stack. */
export class InfraError extends Error {
  override name = "InfraError";
}
