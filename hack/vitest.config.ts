import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** `hack/test.sh` names a file here, and counts what stands in it. */
const report = process.env['TEST_REPORT'];

/** What runs anywhere, without root, a kernel or a network. */
const anywhere = {
  // Files of one process share what they import: loading it for each file takes longer than the tests.
  pool: 'forks',
  isolate: false,
  // One more than a small machine has processors: some tests wait for a server's time.
  maxWorkers: 3,
  sequence: { shuffle: { tests: true } },
  // Only a test that hangs ends so: machines may be slow.
  expect: { poll: { timeout: 60_000, interval: 20 } },
  testTimeout: 120_000,
} as const;

/** What needs root and a kernel. */
const onKernel = {
  pool: 'forks',
  isolate: false,
  // Only what hangs ends so: an emulated machine that is busy with something else may be very slow.
  expect: { poll: { timeout: 120_000, interval: 100 } },
  testTimeout: 600_000,
  hookTimeout: 600_000,
} as const;

/**
 * The projects: `unit` and `properties` run anywhere, the second with many random values; `kernel` and `kernel-modules` need root and a
 * kernel; `e2e` starts the program. All namespaces share the kernel's modules, so tests that unload some run alone, and first: a namespace
 * that another test has left may live on in the kernel for minutes, with sockets that wait for an answer, and so do the modules that it uses.
 */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  cacheDir: 'node_modules/.cache/vite',
  test: {
    watch: false,
    globals: false,
    passWithNoTests: false,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          ...anywhere,
          name: 'unit',
          include: [
            'pkg/**/*.test.ts',
            'cmd/**/*.test.ts',
            'hack/**/*.test.ts',
            'test/{apiserver,support,contract,bench,demo,proxier}/**/*.test.ts',
          ],
        },
      },
      {
        extends: true,
        test: {
          ...anywhere,
          name: 'properties',
          include: ['test/properties/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          ...onKernel,
          name: 'kernel-modules',
          include: ['test/kernel/modules/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...onKernel,
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          exclude: ['test/kernel/modules/**'],
          // Each file has namespaces of its own. While the tests of one wait, those of the other go on.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          pool: 'forks',
          // Only what hangs ends so.
          expect: { poll: { timeout: 60_000, interval: 20 } },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
