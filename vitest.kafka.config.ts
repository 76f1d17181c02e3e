// `npm run test:kafka`: the suites that need Kafka and Debezium (*.kafka.test.ts). scripts/test-kafka.sh brings them.
import { defineConfig } from "vitest/config";
import base from "./vitest.config";

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    // A broker killed and started anew on a busy machine takes its time: these end what hangs.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 120_000 } },
    include: ["**/__tests__/**/*.kafka.test.ts"],
    exclude: base.test?.exclude?.filter((pattern) => !pattern.includes(".kafka.test.ts")) ?? [],
  },
});
