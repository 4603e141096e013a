import { describe, expect, test } from 'vitest';
import { knownSchedulers, parseServiceAnnotations } from './annotations.ts';

/** What annotations mean where `rr` is configured and the kernel lacks `twos`, unless said otherwise. */
function parse(
  annotations: Readonly<Record<string, string>>,
  context: Partial<Parameters<typeof parseServiceAnnotations>[1]> = {},
) {
  const hasScheduler = (scheduler: string) => scheduler !== 'twos';
  return parseServiceAnnotations(annotations, { scheduler: 'rr', hasScheduler, ...context });
}

/** What a Service asks for that asks for nothing. */
const nothing = {
  drainTimeout: undefined,
  scheduler: undefined,
  hashesSourcePort: undefined,
  connectionLimit: undefined,
  keepsSessionsByAddress: false,
  problems: [],
};

describe('the drain timeout of a Service', () => {
  test.each([
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['0', 0],
    ['0s', 0],
  ])('%s', (text, drainTimeout) => {
    expect(parse({ 'drain-timeout': text })).toMatchObject({
      drainTimeout,
      problems: [],
    });
  });

  test('is not known without the annotation', () => {
    expect(parse({ other: 'x' })).toEqual(nothing);
  });

  test.each(['', '30', '-1s', 'soon', ' 30s'])('is not "%s", and its problem says why', (text) => {
    expect(parse({ 'drain-timeout': text })).toMatchObject({
      drainTimeout: undefined,
      problems: [
        {
          field: 'metadata.annotations[ipvs.kube-proxy.io/drain-timeout]',
          message: `${JSON.stringify(text)} is not a duration such as 30s or 1h30m, or 0 for no limit`,
        },
      ],
    });
  });

  test('that is far too long a text is not repeated whole', () => {
    const [problem] = parse({ 'drain-timeout': 'x'.repeat(10_000) }).problems;
    expect(problem?.message.length).toBeLessThan(200);
  });
});

describe('by what a Service knows its pods', () => {
  test.each([
    ['address', true],
    ['uid', false],
  ])('%s', (text, keepsSessionsByAddress) => {
    expect(parse({ 'pod-identity': text })).toEqual({ ...nothing, keepsSessionsByAddress });
  });

  test('is one of these words, and each problem is reported', () => {
    const { keepsSessionsByAddress, problems } = parse({
      'pod-identity': 'Address',
      'drain-timeout': 'soon',
    });
    expect(keepsSessionsByAddress).toBe(false);
    expect(problems.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      expect.stringContaining('drain-timeout'),
      'metadata.annotations[ipvs.kube-proxy.io/pod-identity]: "Address" is not uid or address',
    ]);
  });
});

/** `scheduler: "x" is not …` for each problem. */
function problemsOf(...given: Parameters<typeof parse>): readonly string[] {
  return parse(...given).problems.map(
    ({ field, message }) => `${field.replace(/.*\/(.*)]/, '$1')}: ${message}`,
  );
}

describe('the scheduler of a Service', () => {
  test.each(knownSchedulers)('may be %s', (scheduler) => {
    const expected = { ...nothing, scheduler };
    expect(parse({ scheduler }, { hasScheduler: () => true })).toEqual(expected);
  });

  test('is the configured one if the kernel lacks what it asks for', () => {
    expect(parse({ scheduler: 'twos' }).scheduler).toBeUndefined();
    expect(problemsOf({ scheduler: 'twos' })).toEqual([
      'scheduler: "twos" is not a scheduler that this node\'s kernel has: it lacks the module ip_vs_twos',
    ]);
  });

  test.each(['', 'RR', ' rr', 'ftp', 'rr,lc', '__proto__'])(
    'is not "%s", for which the kernel is not even asked',
    (scheduler) => {
      const asked: string[] = [];
      const hasScheduler = (one: string) => asked.push(one) > 0;
      expect(parse({ scheduler }, { hasScheduler }).scheduler).toBeUndefined();
      expect(problemsOf({ scheduler }, { hasScheduler })).toEqual([
        expect.stringMatching(/^scheduler: ".*" is not one of rr, wrr, lc, .*, twos$/),
      ]);
      expect(asked).toEqual([]);
    },
  );
});

describe('the flags of a scheduler', () => {
  test.each([
    ['sh', '', false],
    ['sh', 'sh-fallback', false],
    ['sh', 'sh-port', true],
    ['sh', 'flag-1,flag-2', true],
    ['mh', '', false],
    ['mh', 'mh-fallback', false],
    ['mh', 'mh-fallback, mh-port', true],
    ['rr', '', false],
  ])('%s with "%s"', (scheduler, flags, hashesSourcePort) => {
    const annotations = { scheduler, 'scheduler-flags': flags };
    expect(parse(annotations)).toEqual({ ...nothing, scheduler, hashesSourcePort });
  });

  test('are those of the configured scheduler where the Service names none, or a wrong one', () => {
    const context = { scheduler: 'mh' };
    expect(parse({ 'scheduler-flags': 'mh-port' }, context).hashesSourcePort).toBe(true);
    const wrong = parse({ 'scheduler-flags': 'mh-port', scheduler: 'x' }, context);
    expect(wrong.hashesSourcePort).toBe(true);
  });

  test.each([
    ['sh', 'mh-port', 'a list of flags of scheduler sh: sh-fallback, flag-1, sh-port, flag-2'],
    ['mh', 'mh-port,', 'a list of flags of scheduler mh: mh-fallback, flag-1, mh-port, flag-2'],
    ['rr', 'flag-1', 'empty, as it is for scheduler rr: only sh and mh have flags'],
  ])('%s has none like "%s"', (scheduler, flags, expected) => {
    const annotations = { scheduler, 'scheduler-flags': flags };
    expect(parse(annotations).hashesSourcePort).toBeUndefined();
    expect(problemsOf(annotations)).toEqual([`scheduler-flags: "${flags}" is not ${expected}`]);
  });
});

describe('the connection limit of a Service', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    ['2147483647', 2_147_483_647],
  ])('%s', (text, connectionLimit) => {
    expect(parse({ 'connection-limit': text })).toEqual({ ...nothing, connectionLimit });
  });

  test.each(['', '-1', '1.5', '1e3', ' 1', '2147483648', '99999999999', 'many'])(
    'is not "%s"',
    (text) => {
      expect(parse({ 'connection-limit': text }).connectionLimit).toBeUndefined();
      expect(problemsOf({ 'connection-limit': text })).toEqual([
        `connection-limit: ${JSON.stringify(text)} is not a number of connections from 1 to 2147483647, or 0 for no limit`,
      ]);
    },
  );
});
