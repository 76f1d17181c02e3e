// Breaks `readmes`: there is none.
export const name = "vectors";
