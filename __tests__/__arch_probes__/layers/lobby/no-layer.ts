// Breaks `layers`: a new top-level folder has no place in the order yet.
export const lobby = true;
