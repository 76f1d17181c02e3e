// Names that are not the app's sources (L-2).
const FOLDERS = new Set(["node_modules", "encore.gen", "__tests__"]);
const TEST_FILE = /\.(test|spec)\.(ts|js)$/;

export const isIgnored = (name: string): boolean => FOLDERS.has(name) || name.startsWith(".") || TEST_FILE.test(name);
