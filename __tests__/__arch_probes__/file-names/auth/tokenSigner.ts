// Breaks `file-names`: camel case.
export const signer = 1;
