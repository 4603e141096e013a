import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  allowing,
  closedTo,
  coming,
  contentOf,
  denying,
  entry,
  going,
  needed,
  otherVip,
  plannedVirtualServer,
  realServer,
  right,
  rules,
  unbound,
  vip,
  virtualServer,
  withRealServer,
  withVirtualServers,
} from '../../../test/support/plan-input.ts';
import { noOptions } from '../../kube/annotations.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import { unknownPod } from '../desired/pod-identity.ts';
import { inSingles, messageCount } from './add-real-servers.ts';
import type { PlanInput } from './input.ts';
import { printOperation } from './operation.ts';
import { plan } from './plan.ts';

type Row = readonly [sentence: string, input: Partial<PlanInput>, operations: readonly string[]];

function operationsFor(over: Partial<PlanInput>): readonly string[] {
  return inSingles(plan({ ...right, ...over }).operations).map(printOperation);
}

/** In no order. */
const three = {
  port: 8080,
  realServers: ['10.0.0.3', '10.0.0.1', '10.0.0.2'].map((address) => ({
    address: ip(address),
    podUid: unknownPod,
  })),
};
const limitedFrontEnd = {
  virtualServer: virtualServer(),
  isBound: true,
  entries: [],
  options: { ...noOptions, connectionLimit: 100 },
};

describe('the plan for real servers', () => {
  const rs = '172.30.0.1:80/TCP 10.0.0.1:8080';
  test.each<Row>([
    ['one that is as it is wanted is left alone', withRealServer({ wanted: {}, held: {} }), []],
    ['one that is wanted is added', withRealServer({ wanted: {} }), [`+rs ${rs} weight 1`]],
    [
      'one is not added while another pod had its address a moment ago',
      withRealServer({ wanted: {}, isResting: true }),
      [],
    ],
    ['one that is wanted at weight 0 is not made', withRealServer({ wanted: { weight: 0 } }), []],
    [
      'one that is wanted at weight 0 and held gets it',
      withRealServer({ wanted: { weight: 0 }, held: {} }),
      [`=rs ${rs} weight 0`],
    ],
    [
      'one that drains and is wanted again gets its weight back',
      withRealServer({ wanted: {}, held: { weight: 0 }, drain: 'draining' }),
      [`=rs ${rs} weight 1`],
    ],
    [
      'one with a threshold loses it',
      withRealServer({ wanted: {}, held: { upperThreshold: 9 } as never }),
      [`=rs ${rs} weight 1`],
    ],
    [
      'one that is added gets the limit of its Service',
      withVirtualServers(
        plannedVirtualServer({
          frontEnd: limitedFrontEnd,
          realServers: [realServer({ wanted: {} })],
        }),
      ),
      [`+rs ${rs} weight 1 limit 100`],
    ],
    [
      'one that stands gets the limit of its Service',
      withVirtualServers(
        plannedVirtualServer({
          frontEnd: limitedFrontEnd,
          realServers: [realServer({ wanted: {}, held: {} })],
        }),
      ),
      [`=rs ${rs} weight 1 limit 100`],
    ],
    [
      'one that has the limit of its Service is left alone',
      withVirtualServers(
        plannedVirtualServer({
          frontEnd: limitedFrontEnd,
          realServers: [
            realServer({ wanted: {}, held: { upperThreshold: 100, lowerThreshold: 75 } as never }),
          ],
        }),
      ),
      [],
    ],
    [
      'one of another pod is replaced',
      withRealServer({ wanted: { podUid: packUid('other') }, held: {} }),
      [`!rs ${rs}`],
    ],
    [
      'one of another pod that drains is replaced, as it has to go now',
      withRealServer({
        wanted: { podUid: packUid('other') },
        held: { weight: 0 },
        drain: 'draining',
      }),
      [`!rs ${rs}`],
    ],
    [
      'one of another pod that goes now already is left alone',
      withRealServer({
        wanted: { podUid: packUid('other') },
        held: { weight: 0 },
        drain: 'endingNow',
      }),
      [],
    ],
    [
      'one whose pod is not known counts as the same',
      withRealServer({
        wanted: { podUid: packUid('other') },
        held: { weight: 1, podUid: unknownPod },
      }),
      [],
    ],
    [
      'one for any pod counts as the same',
      withRealServer({ wanted: { podUid: packUid('*') }, held: {} }),
      [],
    ],
    ['one that nobody wants drains', withRealServer({ held: {} }), [`~rs ${rs}`]],
    [
      'one that drains already is left alone',
      withRealServer({ held: { weight: 0 }, drain: 'draining' }),
      [],
    ],
    [
      'one that drains and got a weight from somebody else is set to 0 again',
      withRealServer({ held: {}, drain: 'draining' }),
      [`~rs ${rs}`],
    ],
    [
      'one at weight 0 that nobody looks after drains',
      withRealServer({ held: { weight: 0 } }),
      [`~rs ${rs}`],
    ],
    [
      'a new one stands before an old one drains',
      withVirtualServers(
        plannedVirtualServer({
          realServers: [realServer({ held: {} }), { ...realServer({ wanted: {} }), port: 81 }],
        }),
      ),
      ['+rs 172.30.0.1:80/TCP 10.0.0.1:81 weight 1', `~rs ${rs}`],
    ],
  ])('%s', (_, over, expected) => {
    expect(operationsFor(over)).toEqual(expected);
  });
});

test('many real servers that are alike are added by several operations, none of which is long', () => {
  const realServers = Array.from({ length: 130 }, (_, index) => ({
    address: ip(`10.0.0.${index}`),
    podUid: unknownPod,
  }));
  const planned = plannedVirtualServer({ isNew: true, alike: { port: 8080, realServers } });
  const { operations } = plan({ ...right, ...withVirtualServers(planned) });
  expect(operations.map(messageCount)).toEqual([1, 64, 64, 2, 1]);
  expect(new Set(inSingles(operations).map(printOperation)).size).toBe(132);
});

describe('the plan for virtual servers and their addresses', () => {
  const more = plannedVirtualServer({ isNew: true, of: virtualServer({ port: 81 }) });
  const at = (address: typeof vip, urgency: number) =>
    plannedVirtualServer({ isNew: true, urgency, of: virtualServer({ address }) });
  const both = { addresses: [{ ...unbound, address: otherVip }, unbound] };

  test.each<Row>([
    ['nothing is done where nothing differs', {}, []],
    [
      'a new one is added with its real servers, and flows that came before it are forgotten',
      withVirtualServers(
        plannedVirtualServer({ isNew: true, realServers: [realServer({ wanted: {} })] }),
      ),
      [
        '+vs 172.30.0.1:80/TCP rr',
        '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1',
        '-flows 172.30.0.1:80/TCP',
      ],
    ],
    [
      'real servers that are alike come in the order of this node, with the limit of their Service',
      {
        ...withVirtualServers(
          plannedVirtualServer({ isNew: true, frontEnd: limitedFrontEnd, alike: three }),
        ),
        rotation: 4,
      },
      [
        '+vs 172.30.0.1:80/TCP rr',
        '+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1 limit 100',
        '+rs 172.30.0.1:80/TCP 10.0.0.2:8080 weight 1 limit 100',
        '+rs 172.30.0.1:80/TCP 10.0.0.3:8080 weight 1 limit 100',
        '-flows 172.30.0.1:80/TCP',
      ],
    ],
    [
      'none of them is alike with none',
      withVirtualServers(
        plannedVirtualServer({ isNew: true, alike: { ...three, realServers: [] } }),
      ),
      ['+vs 172.30.0.1:80/TCP rr', '-flows 172.30.0.1:80/TCP'],
    ],
    [
      'one that is held with other parameters is changed in place',
      withVirtualServers(plannedVirtualServer({ held: virtualServer({ scheduler: 'lc' }) })),
      ['=vs 172.30.0.1:80/TCP rr'],
    ],
    [
      'one that nobody wants is deleted',
      withVirtualServers(plannedVirtualServer({ frontEnd: undefined })),
      ['-vs 172.30.0.1:80/TCP'],
    ],
    [
      'one that is neither wanted nor held is nothing',
      withVirtualServers(plannedVirtualServer({ frontEnd: undefined, held: undefined })),
      [],
    ],
    [
      'an address comes after every virtual server that it has',
      { ...withVirtualServers(plannedVirtualServer({ isNew: true }), more), addresses: [unbound] },
      [
        '+vs 172.30.0.1:80/TCP rr',
        '+vs 172.30.0.1:81/TCP rr',
        '+address 172.30.0.1',
        '-flows 172.30.0.1:80/TCP 172.30.0.1:81/TCP',
      ],
    ],
    [
      'those of urgent Services do not wait for the others',
      { ...withVirtualServers(at(vip, 2), at(otherVip, 1)), ...both },
      [
        '+vs 172.30.0.2:80/TCP rr',
        '+address 172.30.0.2',
        '+vs 172.30.0.1:80/TCP rr',
        '+address 172.30.0.1',
        '-flows 172.30.0.2:80/TCP 172.30.0.1:80/TCP',
      ],
    ],
    [
      'addresses of equally urgent ones come together',
      { ...withVirtualServers(at(vip, 2), at(otherVip, 2)), ...both },
      [
        '+vs 172.30.0.1:80/TCP rr',
        '+vs 172.30.0.2:80/TCP rr',
        '+address 172.30.0.2',
        '+address 172.30.0.1',
        '-flows 172.30.0.1:80/TCP 172.30.0.2:80/TCP',
      ],
    ],
    [
      'an address of which nothing is known is bound again',
      { addresses: [{ ...unbound, isHeld: undefined }] },
      ['+address 172.30.0.1'],
    ],
    [
      'an address that nobody wants goes after its virtual server',
      {
        ...withVirtualServers(plannedVirtualServer({ frontEnd: undefined })),
        addresses: [{ address: vip, isWanted: false, isHeld: true }],
      },
      ['-vs 172.30.0.1:80/TCP', '-address 172.30.0.1'],
    ],
    [
      'an address of a family that is not served is left alone',
      { addresses: [{ address: ip('fd00::1'), isWanted: false, isHeld: true }] },
      [],
    ],
  ])('%s', (_, over, expected) => {
    expect(operationsFor(over)).toEqual(expected);
  });
});

describe('the plan for sets and rules', () => {
  const all = '=rules IPv4 clusterIp ipvsIps';
  const fewer = contentOf('clusterIp');

  test.each<Row>([
    [
      'the device and the sets come first',
      {
        hasDevice: false,
        missingSets: [{ set: 'ipvsIps', family: 'IPv4' }],
        entries: [entry(allowing, coming)],
      },
      ['+device', '+set KUBE-IPVS-IPS hash:ip', '+entry KUBE-CLUSTER-IP 172.30.0.1'],
    ],
    [
      'entries that allow come before those that deny, and go after them in reverse',
      {
        entries: [
          entry(denying, coming),
          entry(allowing, coming),
          entry(denying, going),
          entry(allowing, going),
        ],
      },
      [
        '+entry KUBE-CLUSTER-IP 172.30.0.1',
        '+entry KUBE-IPVS-IPS 172.30.0.1',
        '-entry KUBE-CLUSTER-IP 172.30.0.1',
        '-entry KUBE-IPVS-IPS 172.30.0.1',
      ],
    ],
    [
      'entries that exempt from a denial come before it, and go after it',
      {
        entries: ['KUBE-LOAD-BALANCER-SOURCE-CIDR', 'KUBE-LOAD-BALANCER-FW'].flatMap((set) => [
          entry(set, coming),
          entry(set, going),
        ]),
      },
      [
        '+entry KUBE-LOAD-BALANCER-SOURCE-CIDR 172.30.0.1',
        '+entry KUBE-LOAD-BALANCER-FW 172.30.0.1',
        '-entry KUBE-LOAD-BALANCER-FW 172.30.0.1',
        '-entry KUBE-LOAD-BALANCER-SOURCE-CIDR 172.30.0.1',
      ],
    ],
    [
      'entries that are as they are wanted are left alone',
      {
        entries: [
          entry(allowing, { isWanted: true, isHeld: true }),
          entry(allowing, { isWanted: false, isHeld: false }),
        ],
      },
      [],
    ],
    [
      'an entry of which nothing is known is written again',
      { entries: [entry(allowing, { isWanted: false, isHeld: undefined })] },
      ['-entry KUBE-CLUSTER-IP 172.30.0.1'],
    ],
    ['rules of which nothing is known are written', { rules: rules(undefined) }, [all]],
    [
      'rules that are on their way are not asked for again',
      {
        rules: rules({ written: undefined, requested: needed }),
      },
      [],
    ],
    [
      'rules for other sets of the same number are written',
      { rules: rules({ written: contentOf('clusterIp', 'loopBack') }) },
      ['=rules IPv4 loopBack clusterIp ipvsIps', all],
    ],
    [
      'rules that keep the node from another address come before, and those of one that is open again go at the end',
      {
        rules: rules({ written: closedTo(vip) }, { needed: closedTo(otherVip) }),
        ...withVirtualServers(plannedVirtualServer({ held: virtualServer({ scheduler: 'lc' }) })),
      },
      [
        '=rules IPv4 clusterIp ipvsIps 2 closed to the node',
        '=vs 172.30.0.1:80/TCP rr',
        '=rules IPv4 clusterIp ipvsIps 1 closed to the node',
      ],
    ],
    ['rules for a set with its first entry come', { rules: rules({ written: fewer }) }, [all]],
    [
      'rules for a set without entries go at the end',
      { rules: rules({}, { needed: fewer }), entries: [entry(allowing, coming)] },
      ['+entry KUBE-CLUSTER-IP 172.30.0.1', '=rules IPv4 clusterIp'],
    ],
    [
      'an unbound virtual server goes before the entries that allow, a bound one after them',
      {
        ...withVirtualServers(
          plannedVirtualServer({ frontEnd: undefined }),
          plannedVirtualServer({
            of: virtualServer({ address: otherVip }),
            frontEnd: undefined,
            isAddressHeld: false,
          }),
        ),
        entries: [entry(allowing, going), entry(denying, going)],
      },
      [
        '-vs 172.30.0.2:80/TCP',
        '-entry KUBE-CLUSTER-IP 172.30.0.1',
        '-vs 172.30.0.1:80/TCP',
        '-entry KUBE-IPVS-IPS 172.30.0.1',
      ],
    ],
  ])('%s', (_, over, expected) => {
    expect(operationsFor(over)).toEqual(expected);
  });
});
