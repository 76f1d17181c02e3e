/** Who is signed in. */
export interface Operator {
  email: string;
  permissions: readonly string[];
}
