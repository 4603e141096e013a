import { afterEach, describe, expect, test } from 'vitest';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip, net } from '../support/addresses.ts';
import { endpoint, node, service, slice } from '../support/objects.ts';
import { Stand, type StandOptions, setNode, setService, setSlice } from '../support/proxier.ts';
import { proxierSettings } from '../support/proxier-settings.ts';

// Which addresses count as the node's own, what waits for them, and what follows when they change.

const stands: Stand[] = [];
const here = ip('192.168.0.10');

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

/** A load balancer that the node itself is allowed to reach from 192.168.0.10 alone. */
const restricted = service({
  type: 'LoadBalancer',
  loadBalancerIPs: [ip('203.0.113.80')],
  sourceRanges: [net('192.168.0.10/32')],
});

async function start(addresses: readonly string[] | undefined, over: StandOptions = {}) {
  const stand = new Stand({ syncPeriod: minutes(60), ...over });
  stands.push(stand);
  stand.report(setService(restricted), setSlice(slice([endpoint('10.0.0.1')])));
  if (addresses !== undefined) stand.report(at(...addresses));
  await stand.sync();
  return stand;
}

function at(...addresses: readonly string[]) {
  return setNode(node({ addresses: addresses.map(ip) }));
}

/** What a proxier makes that starts with these addresses. */
async function madeWith(...addresses: readonly string[]): Promise<string> {
  const stand = await start(addresses);
  await stand.settle(seconds(30));
  return stand.kernel.dump();
}

const said = (stand: Stand) =>
  stand.log.lines().filter((line) => /node IP|no IP address|primary/.test(line));

describe('the first sync', () => {
  const nodeIPPatience = seconds(30);

  test('waits for the addresses of a Node that has none yet', async () => {
    const stand = await start([], { nodeIPPatience });
    await stand.settle(seconds(29));
    expect(stand.reports.isFirstSyncDone).toBe(false);
    expect(stand.kernel.ipvs.dump()).toBe('');
    stand.report(at('192.168.0.10'));
    await stand.settle();
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(said(stand)).toEqual([
      'info node IPs {"primaryFamily":"IPv4","nodeIPs":"192.168.0.10 ::1"}',
    ]);
  });

  test('goes on without them after the wait, and says so, and that the node IP is loopback', async () => {
    const stand = await start([], { nodeIPPatience });
    await stand.settle(seconds(30));
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(said(stand)).toEqual([
      'error the Node has no IP address after the wait for it, going on without {"node":"here","seconds":30}',
      'info node IPs {"primaryFamily":"IPv4","nodeIPs":"127.0.0.1 ::1"}',
      expect.stringMatching(
        /^warning the node IP is a loopback address: .*"nodeIP":"127\.0\.0\.1"/,
      ),
    ]);
    stand.report(at('192.168.0.10'));
    await stand.settle(seconds(30));
    expect(stand.kernel.dump()).toBe(await madeWith('192.168.0.10'));
  });

  test('does not wait for a Node that is not there', async () => {
    const stand = await start(undefined, { nodeIPPatience });
    expect(stand.reports.isFirstSyncDone).toBe(true);
  });

  test('ends in the wait when the program does', async () => {
    const stand = await start([], { nodeIPPatience });
    await stand.stop();
    stands.pop();
    expect(stand.kernel.ipvs.dump()).toBe('');
  });
});

describe('with --detect-local-mode=NodeCIDR the first sync', () => {
  const { ruleSettings } = proxierSettings;
  const byNode = { ruleSettings: { ...ruleSettings, detectLocal: { mode: 'NodeCIDR' } } } as const;

  test('waits for the pod networks of the Node, which its rules match on', async () => {
    const stand = await start(['192.168.0.10'], byNode);
    await stand.settle(seconds(299));
    expect(stand.reports.isFirstSyncDone).toBe(false);
    expect(stand.kernel.ipvs.dump()).toBe('');
    stand.report(setNode(node({ addresses: [here], podCIDRs: [net('10.0.1.0/24')] })));
    await stand.settle();
    expect(stand.reports.isFirstSyncDone).toBe(true);
    expect(stand.kernel.firewall.dump('IPv4')).toContain(' ! -s 10.0.1.0/24 ');
  });

  test.each([
    ['a Node without any', ['192.168.0.10']],
    ['no Node', undefined],
  ])('waits five minutes for them, with %s', async (_, addresses) => {
    const stand = await start(addresses, byNode);
    const [ended] = await Promise.allSettled([stand.ended, stand.settle(minutes(6))]);
    expect(String(ended.status === 'rejected' && ended.reason)).toBe(
      'Error: node here has no spec.podCIDRs after 300 s, and detect-local-mode NodeCIDR needs them',
    );
    stands.pop();
  });
});

describe('the networks of pods are compared with the primary family', () => {
  const podCIDRs = [net('fd00:10:0:1::/64')];
  const { ruleSettings } = proxierSettings;
  type Mode = (typeof ruleSettings)['detectLocal'];
  const warning =
    'warning the Node has no pod network of the primary IP family {"primaryFamily":"IPv4","podCIDRs":"fd00:10:0:1::/64"}';
  const without = (clusterCIDR: string) =>
    `info detect-local-mode is ClusterCIDR, and clusterCIDR has no network of the primary IP family {"primaryFamily":"IPv4","clusterCIDR":"${clusterCIDR}"}`;
  const noneOfNode =
    'Error: node here has no spec.podCIDRs of the primary IP family IPv4, only fd00:10:0:1::/64, and detect-local-mode NodeCIDR needs one';

  /** What the start says of them, and its error. */
  async function saidOfNetworks(detectLocal: Mode, addresses: readonly string[]) {
    const stand = new Stand({ ruleSettings: { ...ruleSettings, detectLocal } });
    stand.report(setNode(node({ addresses: addresses.map(ip), podCIDRs })));
    const ended = stand.ended.catch((error: unknown) => stand.log.warn(String(error)));
    await stand.sync();
    await stand.settle();
    const lines = stand.log
      .lines()
      .filter((line) => /pod network|podCIDRs|clusterCIDR/.test(line))
      .map((line) => line.replace('warning Error', 'Error'));
    await stand.stop().catch(() => undefined);
    await ended;
    return lines;
  }

  test.each<[string, Mode, string, readonly string[]]>([
    [
      'networks of both, a Node of the other',
      { mode: 'ClusterCIDR', networks: [net('10.0.0.0/8'), net('fd00:10::/32')] },
      '192.168.0.10',
      [warning],
    ],
    [
      'networks of the other',
      { mode: 'ClusterCIDR', networks: [net('fd00:10::/32')] },
      '192.168.0.10',
      [warning, without('fd00:10::/32')],
    ],
    ['no networks', { mode: 'ClusterCIDR', networks: [] }, '192.168.0.10', [warning, without('')]],
    [
      'networks of the primary one, which is IPv6',
      { mode: 'ClusterCIDR', networks: [net('fd00:10::/32')] },
      'fd00:192:168::10',
      [],
    ],
    ['an interface', { mode: 'interface', name: 'cni0' }, '192.168.0.10', [warning]],
    ['those of the Node', { mode: 'NodeCIDR' }, '192.168.0.10', [noneOfNode]],
    [
      'those of the Node, whose primary family is IPv6',
      { mode: 'NodeCIDR' },
      'fd00:192:168::10',
      [],
    ],
  ])('%s', async (_, detectLocal, address, expected) =>
    expect(await saidOfNetworks(detectLocal, [address])).toEqual(expected),
  );
});

test('--bind-address counts although no Node is there', async () => {
  const without = await start(undefined, { bindAddress: ip('192.168.0.10') });
  await without.settle(seconds(30));
  expect(without.kernel.dump()).toBe(await madeWith('192.168.0.10'));
});

test('addresses that change end in what a proxier makes that starts with them', async () => {
  const stand = await start(['192.168.0.10']);
  const before = stand.kernel.dump();
  stand.report(at('192.168.0.11'));
  await stand.settle(seconds(30));
  expect(stand.kernel.dump()).not.toBe(before);
  expect(stand.kernel.dump()).toBe(await madeWith('192.168.0.11'));
  stand.report(at('fd00:192:168::10', '192.168.0.10'));
  await stand.settle(seconds(30));
  expect(stand.kernel.dump()).toBe(before);
  expect(said(stand)).toEqual([
    'info node IPs {"primaryFamily":"IPv4","nodeIPs":"192.168.0.10 ::1"}',
    'info the node IPs changed {"primaryFamily":"IPv4","nodeIPs":"192.168.0.11 ::1"}',
    'info the node IPs changed {"primaryFamily":"IPv6","nodeIPs":"fd00:192:168::10 192.168.0.10"}',
  ]);
});

describe('the primary family', () => {
  test('that is not served ends the program', async () => {
    const stand = new Stand({ families: ['IPv4'] });
    stand.report(at('fd00:192:168::10', '192.168.0.10'));
    const [ended] = await Promise.allSettled([stand.ended, stand.sync()]);
    expect(String(ended.status === 'rejected' && ended.reason)).toBe(
      'Error: no support for primary IP family IPv6',
    );
    expect(stand.kernel.ipvs.dump()).toBe('');
  });

  test('is IPv6 on a node of IPv6 alone, however --bind-address is unspecified', async () => {
    const stand = await start(['fd00:192:168::10'], { families: ['IPv6'] });
    expect(stand.reports.isFirstSyncDone).toBe(true);
  });

  test('that is served no more after a change is an error in the log, and the program goes on', async () => {
    const stand = await start(['192.168.0.10'], { families: ['IPv4'] });
    stand.report(at('fd00:192:168::10', '192.168.0.10'));
    await stand.settle(seconds(1));
    expect(said(stand).at(-1)).toBe(
      'error the primary IP family is not served on this node {"primaryFamily":"IPv6"}',
    );
    expect(stand.kernel.ipvs.dump()).toContain('-A -t 203.0.113.80:80');
  });
});
