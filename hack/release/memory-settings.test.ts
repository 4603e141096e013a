import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Image and tarball start the program with the same limits of memory.

const read = (file: string) => readFileSync(file, 'utf8');

test.each(['hack/bundle.ts', 'hack/release/launcher.sh'])(
  '%s bounds the young generation of V8',
  (file) => {
    expect(read(file)).toContain('--max-semi-space-size=4');
  },
);

test('the bundle runs with it when it is started by its name', () => {
  expect(read('hack/bundle.ts')).toContain('#!/usr/local/bin/node ${heapFlag}\n');
});

test.each([
  ['Dockerfile', 'ENV MALLOC_ARENA_MAX=1\n'],
  ['hack/release/launcher.sh', 'export MALLOC_ARENA_MAX='],
])('%s has glibc use one arena', (file, setting) => {
  expect(read(file)).toContain(setting);
});
