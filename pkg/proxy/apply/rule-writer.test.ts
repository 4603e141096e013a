import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { FakeFirewall } from '../../firewall/fake.ts';
import { recordingLogger } from '../../log/memory.ts';
import { manualClock } from '../../runner/manual-clock.ts';
import { Mirror } from '../observed/mirror.ts';
import { RuleSource } from './rule-source.ts';
import { RuleWriter } from './rule-writer.ts';

test('who waits for an attempt leaves nothing behind on the signal', async () => {
  const firewall = new FakeFirewall();
  const source = new RuleSource({
    firewall,
    settings: {
      masqueradeMark: 0x4000,
      masqueradeAll: false,
      detectLocal: { mode: 'ClusterCIDR', networks: [] },
    },
    node: () => undefined,
  });
  const rules = new RuleWriter({
    firewall,
    source,
    mirror: new Mirror(),
    families: ['IPv4'],
    clock: manualClock(),
    log: recordingLogger(),
    reporter: { stageTook: () => undefined },
    onAttempt: () => undefined,
  });
  const { signal } = new AbortController();
  for (let count = 0; count < 20; count++) await rules.attempted(signal);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
