import { defineConfig } from 'vitest/config';

/** The real programs (`npm run test:agents`): one after the other, against an endpoint on loopback. */
export default defineConfig({
  test: {
    include: ['test/agents/real/**/*.real.ts'],
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 60_000,
  },
});
