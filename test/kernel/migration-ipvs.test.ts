import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { families } from '../../pkg/ip/address.ts';
import { printPrefix } from '../../pkg/ip/prefix.ts';
import { ip, net } from '../support/addresses.ts';
import { readState } from '../support/kernel-state.ts';
import { addKubeletHint } from '../support/modes/kubelet-hint.ts';
import { Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { NodeProxy } from '../support/node-proxy.ts';
import { Program } from '../support/program.ts';
import { restoreState, restoreSysctls } from '../support/restore-state.ts';
import type { Stream } from '../support/stream.ts';
import { addressOf, type Kind, type Target } from '../support/traffic.ts';
import { expectAlive, openStreams, underLoad, type Way } from '../support/under-load.ts';
import {
  changesOfExample,
  modernStateOfExample,
  stateOfExample,
} from '../support/upstream-examples.ts';

// A node in the state that upstream's binary made in IPVS mode changes over to this program, and back, under clients that must not notice.

const example = 'd1-dual-stack.0';
const upstream = stateOfExample(example);
/** The Service of the example has a port of TCP. */
const kinds: readonly Kind[] = families.map((family) => ({ protocol: 'TCP', family }));
const nodeAddresses = { IPv4: ip('192.168.7.10'), IPv6: ip('2001:db8:7::10') };
const vip: Target = { addresses: { IPv4: ip('172.30.20.41'), IPv6: ip('fd00:30::41') }, port: 80 };
/** The ranges of the cluster's Services. */
const ranges = [net('172.30.0.0/16'), net('fd00:30::/112')];
const nodePort: Target = { addresses: nodeAddresses, port: 30_301 };

describe.each(['nft', 'legacy'] as const)(
  'a node that upstream serves in IPVS mode (%s)',
  (flavour) => {
    const network = new Network({ addresses: Object.values(nodeAddresses) });
    const { node } = network;
    const client = network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
    const pods = [1, 2].map((number) =>
      network.addPod(`web${number}`, [ip(`10.180.0.${number}`), ip(`fd00:10::${number}`)]),
    );
    const caller = network.addPod('caller', [ip('10.0.1.11'), ip('fd00:10:0:1::11')]);
    /** From a pod, from the node, and from outside. */
    const ways: readonly Way[] = [
      [caller, vip],
      [node, vip],
      [client, nodePort],
    ];
    const streams: Stream[] = [];
    let servers: readonly Server[] = [];
    let proxy: NodeProxy | undefined;

    beforeAll(async () => {
      servers = pods.flatMap((pod) =>
        kinds.map(({ protocol, family }) =>
          serve(pod, { protocol, address: addressOf(pod, family), port: 80 }),
        ),
      );
      addKubeletHint(node.namespace, flavour);
      restoreState(node.namespace, upstream, { flavour });
      restoreSysctls(node.namespace, upstream);
      streams.push(...(await openStreams(ways, kinds)));
    });

    afterAll(async () => {
      await Promise.all(streams.map((stream) => stream.stop()));
      await proxy?.stop();
      for (const server of servers) server.close();
      network.close();
    });

    /** The established connections in IPVS's table: protocol, client, virtual and real server. One may be left out while others end: the kernel counts them anew for each page. */
    function established(): readonly string[] {
      const lines = node.namespace.run('ipvsadm', '-Lcn').split('\n');
      const found = lines.filter((line) => line.includes(' ESTABLISHED '));
      return found.map((line) => line.replace(/^TCP +\S+ +ESTABLISHED +/, ''));
    }

    test('changes over: no connection is lost, established or new', async () => {
      const before = established();
      expect(before).toHaveLength(streams.length);
      await underLoad(
        ways,
        async () => {
          proxy = new NodeProxy(node.namespace);
          proxy.report(...changesOfExample(example));
          await proxy.settled();
        },
        kinds,
      );
      await expectAlive(...streams);
      await expect.poll(established).toEqual(expect.arrayContaining([...before]));
    });

    test('has then what upstream made, and what newer versions have more', () => {
      expect(readState(node.namespace, { flavour }).trim()).toBe(modernStateOfExample(example));
    });

    test('goes back when upstream starts over it: no connection is lost', async () => {
      streams.push(...(await openStreams(ways, kinds)));
      const before = established();
      await proxy?.stop();
      proxy = undefined;
      await underLoad(ways, () => restoreState(node.namespace, upstream, { flavour }), kinds);
      await expectAlive(...streams);
      await expect.poll(established).toEqual(expect.arrayContaining([...before]));
    });

    // Connections through IPVS end with their virtual servers, so there are none then.
    test('goes back by way of --cleanup: nothing of ours stays, and upstream serves', async () => {
      await Promise.all(streams.splice(0).map((stream) => stream.stop()));
      const cleaning = await Program.start(node.namespace, { flags: ['--cleanup'] });
      expect(await cleaning.ended(), cleaning.output).toEqual({ status: 0, signal: null });
      restoreState(node.namespace, upstream, { flavour });
      expect(readState(node.namespace, { flavour }).trim()).toBe(upstream.trim());
      streams.push(...(await openStreams(ways, kinds)));
      await underLoad(ways, () => expectAlive(...streams), kinds);
    });

    test('goes back from routes when upstream starts over them, and they are flushed: no connection is lost', async () => {
      const vipBinding = { mode: 'route', ranges, podNetworks: [] } as const;
      proxy = new NodeProxy(node.namespace, { vipBinding }, { hasLocalRoutes: true });
      proxy.report(...changesOfExample(example));
      await proxy.settled();
      expect(routes()).toEqual(ranges.map((range) => expect.stringContaining(printPrefix(range))));
      streams.push(...(await openStreams(ways, kinds)));
      await proxy.stop();
      proxy = undefined;
      await underLoad(ways, () => restoreState(node.namespace, upstream, { flavour }), kinds);
      await underLoad(
        ways,
        () => {
          for (const family of ['-4', '-6'])
            node.namespace.run('ip', family, ...'route flush table local proto 173'.split(' '));
        },
        kinds,
      );
      expect(routes()).toEqual([]);
      await expectAlive(...streams);
      await underLoad(ways, () => expectAlive(...streams), kinds);
    });

    /** Our local routes, as `ip` prints them. */
    function routes(): readonly string[] {
      return ['-4', '-6'].flatMap((family) =>
        node.namespace
          .run('ip', family, ...'route show table local proto 173'.split(' '))
          .split('\n')
          .filter((line) => line !== ''),
      );
    }
  },
);
