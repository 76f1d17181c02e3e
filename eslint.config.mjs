// The limits that a habit would not hold: sizes, floating promises, `any`, the environment's one reader.
// What concerns several files at once (layers, cycles, owners of tables) is in scripts/architecture/.
import { defineConfig } from "eslint/config";
import regexp from "eslint-plugin-regexp";
import tseslint from "typescript-eslint";

const TOOLING = ["scripts/**", "bench/**", "runtime/**", "*.config.{ts,mjs}"];
const TESTS = ["**/__tests__/**", "**/*.test.ts"];

/** Names by which several folders are known: everything that a tool wrote or that is recorded as it is. */
const IGNORED = [
  "**/node_modules/**",
  "**/dist/**",
  "**/generated/**",
  "encore.gen/**",
  ".encore/**",
  ".groundwork/**",
  "coverage/**",
  "runtime/__tests__/parity/**",
  "runtime/__tests__/fixtures/**",
  // Laid over the app by a bench or a test; on its own its imports lead nowhere.
  "queues/__tests__/fixtures/**",
  "bench/http/__tests__/guarded/**",
  "bench/events/__tests__/fixtures/**",
  "bench/memory/__tests__/fixtures/**",
  "bench/queues/__tests__/fixtures/**",
  "bench/simulator/__tests__/fixtures/**",
  "**/__arch_probes__/**",
];

const limits = {
  "max-lines": ["error", { max: 400 }],
  "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
  // "modified": a switch counts once. An exhaustive switch over a closed union is the simple way, not the complex one.
  complexity: ["error", { max: 15, variant: "modified" }],
  "max-depth": ["error", 4],
  "max-params": ["error", 5],
};

const language = {
  eqeqeq: ["error", "always", { null: "ignore" }],
  "no-console": "error",
  "no-var": "error",
  "prefer-const": "error",
  "no-warning-comments": ["error", { terms: ["todo", "fixme", "xxx"], location: "anywhere" }],
  "no-restricted-properties": [
    "error",
    { object: "process", property: "env", message: "Read cfg from config/: it is the only reader of the environment." },
  ],
  "no-restricted-syntax": [
    "error",
    { selector: "TSEnumDeclaration", message: "Use a union of string literals: enums are not erasable." },
    {
      selector: "ExportDefaultDeclaration > :not(NewExpression)",
      message: "Export by name: a default export has as many names as importers.",
    },
  ],
};

const typed = {
  "@typescript-eslint/no-explicit-any": "error",
  "@typescript-eslint/no-non-null-assertion": "error",
  "@typescript-eslint/no-unused-vars": [
    "error",
    { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" },
  ],
  "@typescript-eslint/ban-ts-comment": [
    "error",
    { "ts-expect-error": "allow-with-description", minimumDescriptionLength: 10 },
  ],
  "@typescript-eslint/consistent-type-imports": [
    "error",
    { fixStyle: "inline-type-imports", disallowTypeAnnotations: false },
  ],
  "@typescript-eslint/no-floating-promises": "error",
  "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { arguments: false, attributes: false } }],
  "@typescript-eslint/await-thenable": "error",
  "@typescript-eslint/return-await": ["error", "in-try-catch"],
  "@typescript-eslint/only-throw-error": "error",
  "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
  "@typescript-eslint/no-unnecessary-type-assertion": "error",
  "@typescript-eslint/no-unsafe-assignment": "error",
  "@typescript-eslint/no-unsafe-call": "error",
  "@typescript-eslint/no-unsafe-return": "error",
};

/** No text may take a regular expression longer than in proportion to its length. */
const linearTime = {
  "regexp/no-super-linear-backtracking": ["error", { report: "potential" }],
  "regexp/no-super-linear-move": ["error", { report: "potential", ignoreSticky: false, ignorePartial: false }],
};

export default defineConfig(
  { ignores: IGNORED },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.ts", "**/*.tsx"],
    plugins: { "@typescript-eslint": tseslint.plugin, regexp },
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: { ...limits, ...language, ...typed, ...linearTime },
  },
  {
    files: ["**/*.tsx"],
    rules: {
      "no-restricted-syntax": [
        ...language["no-restricted-syntax"],
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "What is shown is text: names and log lines come from anybody.",
        },
      ],
    },
  },
  {
    files: ["**/*.mjs"],
    plugins: { regexp },
    languageOptions: { ecmaVersion: 2023, sourceType: "module" },
    rules: { ...limits, ...language, ...linearTime },
  },
  {
    files: [...TOOLING, ...TESTS],
    rules: { "no-restricted-properties": "off" },
  },
  {
    // Scanners and codecs index what they have just measured; a fallback there would hide a broken bound.
    files: ["runtime/**", "bench/**"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
  {
    files: ["config/**"],
    rules: { "no-restricted-properties": "off" },
  },
  {
    // What a person starts and reads in a terminal.
    files: ["scripts/**", "bench/**", "runtime/commands/**", "runtime/cli*.ts"],
    rules: { "no-console": "off" },
  },
  {
    files: TESTS,
    rules: {
      "max-lines-per-function": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  {
    // Tools that ask for a default export.
    files: ["*.config.{ts,mjs}", "scripts/**", "runtime/vitest/**"],
    rules: { "no-restricted-syntax": ["error", ...language["no-restricted-syntax"].slice(1, 2)] },
  },
);
