// Correct.
export const tested = 1;
