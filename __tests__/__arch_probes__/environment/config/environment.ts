// Correct: the one reader.
export const raw = process.env;
