import { expect, test } from 'vitest';
import { takeOptions } from './subcommand-options.ts';

const names = { '-o': 'output', '--output': 'output', '--wait': 'wait' };

test.each([
  { argv: ['-o', 'json', '--v=2'], output: 'json', rest: ['--v=2'] },
  { argv: ['--output=wide'], output: 'wide', rest: [] },
  { argv: ['--kubeconfig', 'a', '--output', 'text'], output: 'text', rest: ['--kubeconfig', 'a'] },
  { argv: ['-o=json', '-o=wide'], output: 'wide', rest: [] },
  { argv: ['-ojson', 'x'], output: undefined, rest: ['-ojson', 'x'] },
])('$argv', ({ argv, output, rest }) => {
  const taken = takeOptions(argv, names);
  expect(taken.values.get('output')).toBe(output);
  expect(taken.rest).toEqual(rest);
});

test('an option without a value is an error that names it', () => {
  expect(() => takeOptions(['--wait'], names)).toThrow('flag needs an argument: --wait');
});
