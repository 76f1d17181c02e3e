// Breaks `file-names`: says nothing.
export const everything = 1;
