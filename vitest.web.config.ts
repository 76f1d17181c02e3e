// `npm run test:web`: a real browser against the started app. Apart from the main suite because it needs Chromium.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["**/__tests__/**/*.web.test.ts"],
    globalSetup: ["runtime/__tests__/whole-app/web/build-host.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
