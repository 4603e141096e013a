import { expect, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { load } from '../../pkg/config/load.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { readServiceRanges, usableRanges } from './service-ranges.ts';

const byAddress = effective(load({ values: {}, removed: [] }, undefined).settings, 'here');
const byRoute = { ...byAddress, vipBinding: 'route' } as const;
const serviceRanges = {
  run: async (onRanges: (texts: readonly string[]) => void) => onRanges(['10.96.0.0/16']),
};

test('they are read once, where VIPs are bound by routes and no range is configured', async () => {
  const options = { serviceRanges, wait: 1000 };
  expect(await readServiceRanges(byRoute, options)).toEqual(['10.96.0.0/16']);
  expect(await readServiceRanges(byAddress, options)).toEqual([]);
  const configured = {
    ...byRoute,
    serviceClusterIPRange: usableRanges(['10.0.0.0/8'], recordingLogger()),
  };
  expect(await readServiceRanges(configured, options)).toEqual([]);
  expect(await readServiceRanges(byRoute, { ...options, serviceRanges: undefined })).toEqual([]);
});

test('what is not read in time is an error', async () => {
  const never = {
    run: (_: unknown, signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
  };
  await expect(readServiceRanges(byRoute, { serviceRanges: never, wait: 10 })).rejects.toThrow(
    'ServiceCIDR objects were not read within 0.01 s',
  );
});

test('networks that can be no range of VIPs are left out, and named', () => {
  const log = recordingLogger();
  expect(usableRanges(['10.96.0.0/16', '0.0.0.0/0', 'x'], log)).toHaveLength(1);
  expect(log.lines().join()).toContain('0.0.0.0/0');
});
