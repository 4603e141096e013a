import { describe, expect, test } from 'vitest';
import { parseServiceAnnotations } from './service-annotations.ts';

describe('the drain timeout of a Service', () => {
  test.each([
    ['30s', 30_000],
    ['1h30m', 5_400_000],
    ['0', 0],
    ['0s', 0],
  ])('%s', (text, drainTimeout) => {
    expect(parseServiceAnnotations({ 'drain-timeout': text })).toMatchObject({
      drainTimeout,
      problems: [],
    });
  });

  test('is not known without the annotation', () => {
    expect(parseServiceAnnotations({ other: 'x' })).toEqual({
      drainTimeout: undefined,
      keepsSessionsByAddress: false,
      problems: [],
    });
  });

  test.each(['', '30', '-1s', 'soon', ' 30s'])('is not "%s", and its problem says why', (text) => {
    expect(parseServiceAnnotations({ 'drain-timeout': text })).toMatchObject({
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
    const [problem] = parseServiceAnnotations({ 'drain-timeout': 'x'.repeat(10_000) }).problems;
    expect(problem?.message.length).toBeLessThan(200);
  });
});

describe('by what a Service knows its pods', () => {
  test.each([
    ['address', true],
    ['uid', false],
  ])('%s', (text, keepsSessionsByAddress) => {
    expect(parseServiceAnnotations({ 'pod-identity': text })).toEqual({
      drainTimeout: undefined,
      keepsSessionsByAddress,
      problems: [],
    });
  });

  test('is one of these words, and each problem is told', () => {
    const { keepsSessionsByAddress, problems } = parseServiceAnnotations({
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
