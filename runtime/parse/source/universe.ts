// The names that exist without an import in a schema (L-51). Anything of TypeScript's own library that is not
// here is an unknown identifier to Encore, so it is one to us.
export const UNIVERSE_FILE = "universe.ts";

export const UNIVERSE = `
export class Promise<T> {}
export class Date {}
export type Array<T> = T[];
export type Partial<T> = { [P in keyof T]?: T[P] };
export type Required<T> = { [P in keyof T]-?: T[P] };
export type Readonly<T> = { readonly [P in keyof T]: T[P] };
export type Pick<T, K extends keyof T> = { [P in K]: T[P] };
export type Record<K extends keyof any, T> = { [P in K]: T };
export type Exclude<T, U> = T extends U ? never : T;
export type Extract<T, U> = T extends U ? T : never;
export type Omit<T, K extends keyof any> = Pick<T, Exclude<keyof T, K>>;
export type NonNullable<T> = T & {};
`;
