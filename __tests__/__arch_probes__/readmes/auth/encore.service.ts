// Breaks `readmes`: its README lacks two headings.
export const name = "auth";
