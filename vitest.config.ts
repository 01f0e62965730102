import { defineConfig } from 'vitest/config';

/** Three projects: pure tests that run all day (unit, conformance) and tests with real servers and processes (integration). */
const project = (name: string, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], pool: 'forks' as const, maxWorkers: 2, ...extra },
});

/** Pure tests share a process: loading the modules anew for each file cost more than all tests together (15 s against 8 s). */
const pure = { isolate: false, testTimeout: 20_000 };

export default defineConfig({
  test: {
    projects: [
      project('unit', pure),
      project('conformance', pure),
      project('integration', { testTimeout: 120_000, hookTimeout: 120_000 }),
    ],
  },
});
