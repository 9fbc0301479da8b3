// Unit tests of what is pure, and of the API's reader over a `fetch` that a test plays. They run in
// node: what needs a browser is in tests/integration/web.
import { defineConfig } from "vitest/config";

// The zone of the tests that do not choose one. Far from UTC, so that nobody mistakes one for the other.
process.env.TZ = "Asia/Kathmandu";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // Threads would share one time zone.
    pool: "forks",
    unstubGlobals: true,
    unstubEnvs: true,
    restoreMocks: true,
  },
});
