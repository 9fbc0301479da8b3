// What the compiler does not see: promises that nobody waits for, hooks that miss what they depend
// on, files that have grown too long. The same rules for the page and its tests.
import hooks from "eslint-plugin-react-hooks";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

/** Components that grow beyond this are split. */
const MAX_LINES = 300;

export default defineConfig(
  { ignores: ["src/generated.ts"] },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, hooks.configs["recommended-latest"]],
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "max-lines": ["error", { max: MAX_LINES }],
      // Preact's hooks obey React's rules.
      "react-hooks/exhaustive-deps": "error",
      // `() => setOpen(true)` is how handlers are written.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // With `noUncheckedIndexedAccess`, `!` says what is known of an index.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
);
