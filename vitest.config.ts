import { defineConfig } from 'vitest/config';

/** Three projects: pure tests that run all day (unit, conformance) and tests with real servers and processes (integration). */
const project = (name: string, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('conformance', { testTimeout: 20_000 }),
      project('integration', {
        testTimeout: 120_000,
        hookTimeout: 120_000,
        maxWorkers: 2,
        sequence: { groupOrder: 1 },
      }),
    ],
  },
});
