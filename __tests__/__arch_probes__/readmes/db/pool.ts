// Breaks `readmes`: a library without a README.
export const pool = 1;
