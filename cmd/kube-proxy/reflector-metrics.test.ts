import { expect, test } from 'vitest';
import type { ReflectorState } from '../../pkg/kube/api/reflector-state.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { reflectorMetrics } from './reflector-metrics.ts';

const unread: ReflectorState = {
  kind: 'Node',
  objects: 0,
  version: '',
  lastHeard: undefined,
  isWatching: false,
};

test('a scrape reports of each kind what is known now, and nothing of what is not', async () => {
  const states: ReflectorState[] = [unread];
  const metrics = createMetrics();
  metrics.addScraped(reflectorMetrics({ states }));
  const scraped = async () => {
    const lines = (await metrics.exposition.text()).split('\n');
    return lines
      .filter((line) => /^kubeproxy_ipvs_(objects|watch_open|last_(resource|event))/.test(line))
      .map((line) => line.replace('kubeproxy_ipvs_', ''));
  };
  expect(await scraped()).toEqual(['objects{kind="Node"} 0', 'watch_open{kind="Node"} 0']);
  states[0] = {
    ...unread,
    objects: 1,
    version: '4711',
    lastHeard: 1_700_000_000_500,
    isWatching: true,
  };
  states.push({ ...unread, kind: 'Service', version: 'not a number' });
  expect(await scraped()).toEqual([
    'objects{kind="Node"} 1',
    'objects{kind="Service"} 0',
    'watch_open{kind="Node"} 1',
    'watch_open{kind="Service"} 0',
    'last_resource_version{kind="Node"} 4711',
    'last_event_timestamp_seconds{kind="Node"} 1700000000.5',
  ]);
});
