import { expect, test } from 'vitest';
import { unsupportedRuntime } from './runtime.ts';

test.each(['24.0.0', '24.21.0', '26.1.0', '100.0.0'])('Node %s will do', (version) => {
  expect(unsupportedRuntime(version)).toBeUndefined();
});

test.each(['20.20.2', '23.11.1', '9.0.0', ''])('Node %s will not do, in one line', (version) => {
  expect(unsupportedRuntime(version)).toBe(`kube-proxy needs Node 24 or newer, this is ${version}`);
});
