import { describe, expect, test } from 'vitest';
import {
  closedTo,
  contentOf,
  entriesOf,
  needed,
  otherVip,
  plannedVirtualServer,
  realServer,
  right,
  rules,
  unbound,
  vip,
  virtualServer,
  withVirtualServers,
} from '../../../test/support/plan-input.ts';
import { noOptions } from '../../kube/annotations.ts';
import type { SetEntry } from '../desired/footprint.ts';
import { noLocalEntry } from '../desired/no-local.ts';
import { inSingles } from './add-real-servers.ts';
import type { PlanInput, PlannedMark } from './input.ts';
import { printOperation } from './operation.ts';
import { plan } from './plan.ts';

describe('what cannot be planned yet', () => {
  const marks = entriesOf(virtualServer());
  const bare = marks.map((mark) => ({ ...mark, isHeld: false, isPlanned: false }));
  const planned = marks.map((mark) => ({ ...mark, isHeld: false, isPlanned: true }));
  const isNew = { isNew: true } as const;
  const closed: SetEntry = {
    set: 'loadBalancerFw',
    family: 'IPv4',
    entry: { type: 'hash:ip,port', ip: vip, protocol: 'TCP', port: 80 },
  };
  const openToNode: SetEntry = {
    set: 'loadBalancerSourceIp',
    family: 'IPv4',
    entry: { type: 'hash:ip,port,ip', ip: vip, protocol: 'TCP', port: 80, ip2: vip },
  };
  const limitedSets = ['clusterIp', 'ipvsIps', 'loadBalancerFw', 'loadBalancerSourceIp'] as const;
  const sets = { nonEmpty: contentOf(...limitedSets).nonEmpty };
  const limited = (...entries: readonly SetEntry[]) =>
    withVirtualServers(
      plannedVirtualServer({
        ...isNew,
        frontEnd: {
          virtualServer: virtualServer(),
          isBound: true,
          options: noOptions,
          entries: [...marks, ...entries],
        },
      }),
    );

  const standing = { isHeld: true, isPlanned: false } as const;
  const denied = (over: Partial<PlannedMark>) =>
    withVirtualServers(
      plannedVirtualServer({
        denial: { ...noLocalEntry(virtualServer()), ...standing, ...over },
        realServers: [realServer({ wanted: {} })],
      }),
    );
  const withDenial = contentOf('clusterIp', 'ipvsIps', 'noLocal');
  const allRules = rules({ written: withDenial }, { needed: withDenial });
  const added = '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1';

  interface Later {
    readonly operations: readonly string[];
    readonly waiting: number;
    readonly unmarked: number;
  }

  test.each<readonly [string, Partial<PlanInput>, Later]>([
    [
      'a new virtual server and its address wait for rules that are on their way',
      {
        ...withVirtualServers(plannedVirtualServer(isNew)),
        rules: rules({ written: undefined, requested: needed }),
      },
      { operations: [], waiting: 2, unmarked: 0 },
    ],
    [
      'where rules cannot be written nothing waits for them',
      {
        ...withVirtualServers(plannedVirtualServer(isNew)),
        rules: rules({ written: undefined, requested: needed, isFailing: true }),
      },
      {
        operations: ['+vs 172.30.0.1:80/TCP rr', '-flows 172.30.0.1:80/TCP'],
        waiting: 0,
        unmarked: 0,
      },
    ],
    [
      'but one that only some may reach waits, and so does its address',
      {
        ...limited(closed, openToNode),
        addresses: [unbound],
        rules: rules({ isFailing: true }),
      },
      { operations: [], waiting: 2, unmarked: 0 },
    ],
    [
      'one that only some may reach stands when its rules are written, whatever failed since',
      {
        ...limited(closed, openToNode),
        rules: rules({
          isFailing: true,
          written: contentOf(...limitedSets),
        }),
      },
      {
        operations: [
          '+vs 172.30.0.1:80/TCP rr',
          '-flows 172.30.0.1:80/TCP',
          '=rules IPv4 clusterIp ipvsIps',
        ],
        waiting: 0,
        unmarked: 0,
      },
    ],
    [
      'one that is closed to the node waits for its own rule, whatever fails',
      {
        ...limited(closed),
        rules: rules(
          { isFailing: true, written: { ...closedTo(otherVip), ...sets } },
          { needed: { ...closedTo(otherVip), ...sets } },
        ),
      },
      { operations: [], waiting: 2, unmarked: 0 },
    ],
    [
      'one that no entry tells as ours gets its entries first',
      withVirtualServers(plannedVirtualServer({ ...isNew, marks: bare })),
      {
        operations: ['+entry KUBE-CLUSTER-IP 172.30.0.1,tcp:80', '+entry KUBE-IPVS-IPS 172.30.0.1'],
        waiting: 0,
        unmarked: 2,
      },
    ],
    [
      'its entries are not planned twice',
      withVirtualServers(plannedVirtualServer({ ...isNew, marks: planned })),
      { operations: [], waiting: 0, unmarked: 2 },
    ],
    [
      'real servers elsewhere wait for the entry that keeps strangers away',
      { ...denied({ isHeld: false }), rules: allRules },
      {
        operations: ['+entry KUBE-IPVS-NO-LOCAL 172.30.0.1,tcp:80'],
        waiting: 0,
        unmarked: 2,
      },
    ],
    [
      'and for its rule',
      { ...denied({}), rules: rules({ requested: withDenial }, { needed: withDenial }) },
      { operations: [], waiting: 2, unmarked: 0 },
    ],
    [
      'and for the end of a write that takes its rule out',
      {
        ...denied({}),
        rules: rules({ written: withDenial, writing: needed }, { needed: withDenial }),
      },
      { operations: [], waiting: 2, unmarked: 0 },
    ],
    [
      'for no rule that cannot be written',
      {
        ...denied({}),
        rules: rules({ requested: withDenial, isFailing: true }, { needed: withDenial }),
      },
      { operations: [added], waiting: 0, unmarked: 0 },
    ],
    [
      'with both they stand',
      { ...denied({}), rules: allRules },
      { operations: [added], waiting: 0, unmarked: 0 },
    ],
    [
      'an address waits for rules of its own virtual server',
      {
        ...withVirtualServers(plannedVirtualServer()),
        addresses: [unbound],
        rules: rules({ written: undefined, requested: needed }),
      },
      { operations: [], waiting: 1, unmarked: 0 },
    ],
    [
      'an address without a virtual server waits for any rules',
      { addresses: [unbound], rules: rules({ written: undefined, requested: needed }) },
      { operations: [], waiting: 1, unmarked: 0 },
    ],
  ])('%s', (_, over, expected) => {
    const { operations, waiting, unmarked } = plan({ ...right, ...over });
    const count = ({ virtualServers, addresses }: typeof waiting) =>
      virtualServers.size + addresses.size;
    expect({
      operations: inSingles(operations).map(printOperation),
      waiting: count(waiting),
      unmarked: count(unmarked),
    }).toEqual(expected);
  });
});
