import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Argument, type FlagShape, readArguments } from './arguments.ts';

const shapes: readonly FlagShape[] = [
  { name: 'kubeconfig', standsAlone: false },
  { name: 'v', shorthand: 'v', standsAlone: false },
  { name: 'masquerade-all', standsAlone: true },
  { name: 'help', shorthand: 'h', standsAlone: true },
];

const flag = (name: string, value?: string): Argument => ({ kind: 'flag', name, value });
const unknown = (typed: string, name = typed.replace(/^-+/, '')): Argument => ({
  kind: 'unknown',
  name,
  typed,
});
const positional = (text: string): Argument => ({ kind: 'positional', text });

describe('the spellings of pflag', () => {
  test.each<[string[], Argument[]]>([
    [[], []],
    [['--kubeconfig=/k'], [flag('kubeconfig', '/k')]],
    [['--kubeconfig', '/k'], [flag('kubeconfig', '/k')]],
    [['--kubeconfig='], [flag('kubeconfig', '')]],
    [['--kubeconfig', ''], [flag('kubeconfig', '')]],
    [['--kubeconfig=a=b='], [flag('kubeconfig', 'a=b=')]],
    [['--kubeconfig', '=b'], [flag('kubeconfig', '=b')]],
    [['--kubeconfig', '--help'], [flag('kubeconfig', '--help')]],
    [['--kubeconfig', '--'], [flag('kubeconfig', '--')]],
    [['--kubeconfig=a\nb'], [flag('kubeconfig', 'a\nb')]],
    [['--kubeconfig'], [flag('kubeconfig')]],
    [['--masquerade-all'], [flag('masquerade-all')]],
    [['--masquerade-all=false'], [flag('masquerade-all', 'false')]],
    [['--masquerade_all'], [flag('masquerade-all')]],
    [['--masquerade_all=a_b'], [flag('masquerade-all', 'a_b')]],
    [
      ['--masquerade-all', 'false'],
      [flag('masquerade-all'), positional('false')],
    ],
    [['-v', '2'], [flag('v', '2')]],
    [['-v=2'], [flag('v', '2')]],
    [['-v2'], [flag('v', '2')]],
    [['-v='], [flag('v', '')]],
    [['-v', '-5'], [flag('v', '-5')]],
    [['-v'], [flag('v')]],
    [['--v', '2'], [flag('v', '2')]],
    [['-h'], [flag('help')]],
    [['-h=false'], [flag('help', 'false')]],
    [['-hv2'], [flag('help'), flag('v', '2')]],
    [
      ['-', 'start'],
      [positional('-'), positional('start')],
    ],
    [['--'], []],
    [
      ['--', '--v=1', '-h'],
      [positional('--v=1'), positional('-h')],
    ],
    [
      ['start', '-v2'],
      [positional('start'), flag('v', '2')],
    ],
  ])('%j', (argv, expected) => expect(readArguments(argv, shapes)).toEqual(expected));
});

describe('what nobody knows', () => {
  test.each<[string[], Argument[]]>([
    [['--bogus'], [unknown('--bogus')]],
    [['--bogus=1'], [unknown('--bogus')]],
    [['--bo_gus=1'], [unknown('--bo_gus', 'bo-gus')]],
    [['--bogus', 'value'], [unknown('--bogus')]],
    [
      ['--bogus', 'value', 'start'],
      [unknown('--bogus'), positional('start')],
    ],
    [
      ['--bogus', '-v2'],
      [unknown('--bogus'), flag('v', '2')],
    ],
    [
      ['--bogus=1', 'start'],
      [unknown('--bogus'), positional('start')],
    ],
    [['--constructor'], [unknown('--constructor')]],
    [['--=x'], [unknown('--', '')]],
    [['---v'], [unknown('---v', '-v')]],
    [['-x'], [unknown('-x')]],
    [['-x', 'value'], [unknown('-x')]],
    [['-kubeconfig=/k'], [unknown('-kubeconfig', 'k')]],
    [['-hx'], [unknown('-hx', 'x')]],
  ])('%j', (argv, expected) => expect(readArguments(argv, shapes)).toEqual(expected));
});

describe('whatever is given', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--', '-', '-v', '-h', '--v', '--help', '--masquerade-all', '-hv', '--x'),
  );

  test('each argument is read once, and reading ends', () => {
    fc.assert(
      fc.property(fc.array(word), (argv) => {
        const read = readArguments(argv, shapes);
        const letters = argv.filter((text) => /^-[^-]/.test(text)).join('').length;
        expect(read.length).toBeLessThanOrEqual(argv.length + letters);
      }),
    );
  });

  test('a value comes through as it is, in every spelling of its flag', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const expected = [flag('kubeconfig', value)];
        expect(readArguments([`--kubeconfig=${value}`], shapes)).toEqual(expected);
        expect(readArguments(['--kubeconfig', value], shapes)).toEqual(expected);
        expect(readArguments(['-v', value], shapes)).toEqual([flag('v', value)]);
        expect(readArguments([`-v=${value}`], shapes)).toEqual([flag('v', value)]);
      }),
    );
  });
});
