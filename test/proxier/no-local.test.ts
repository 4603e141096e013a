import { afterEach, describe, expect, test } from 'vitest';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Endpoint, Service } from '../../pkg/kube/types.ts';
import { seconds, sleep } from '../../pkg/runner/clock.ts';
import type { Packet } from '../../pkg/trace/packet.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { remove, Stand, setService, setSlice } from '../support/proxier.ts';
import { TracedMoments } from '../support/traced-moments.ts';

// `externalTrafficPolicy: Local` while the last endpoint of the node goes and comes back: what packets meet in every state that the
// kernel passes through, write by write. Strangers must never reach an endpoint elsewhere; pods and the node must always reach one.

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const names: Readonly<Record<string, string>> = { '10.0.1.1': 'web', '10.0.2.1': 'distant' };
const nameOf = (address: IpAddress) => names[address] ?? address;
const web = (over: Partial<Endpoint> = {}) => endpoint('10.0.1.1', { nodeName: 'here', ...over });
const distant = endpoint('10.0.2.1');

const balanced = ip('203.0.113.80');
const to = { destination: balanced, port: 80, protocol: 'TCP' } as const;
const outside: Packet = {
  ...to,
  source: ip('203.0.113.7'),
  origin: { kind: 'device', name: 'eth0' },
};
const pod: Packet = {
  ...to,
  source: ip('10.0.1.9'),
  origin: { kind: 'device', name: 'v-pod' },
};
const node: Packet = { ...to, source: balanced, origin: { kind: 'node' } };
const nodePort = { destination: ip('192.168.0.10'), port: 30_080 };

function shop(over: Partial<Service> = {}) {
  return setService(
    service({
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      loadBalancerIPs: [balanced],
      ports: [servicePort({ nodePort: 30_080 })],
      ...over,
    }),
  );
}

async function start(...endpoints: readonly Endpoint[]) {
  const stand = new Stand();
  stands.push(stand);
  const moments = new TracedMoments(stand.kernel);
  stand.report(shop(), setSlice(slice(endpoints)));
  await stand.sync();
  await stand.settle(seconds(1));
  moments.forget();
  const during = (packet: Packet) => moments.outcomes(packet, nameOf);
  /** What the three clients met since the last call, in order. */
  const met = () => {
    const all = { outside: during(outside), pod: during(pod), node: during(node) };
    expect(during({ ...outside, ...nodePort })).toEqual(all.outside);
    expect(during({ ...pod, ...nodePort })).toEqual(all.pod);
    moments.forget();
    return all;
  };
  const report = async (...given: readonly Endpoint[]) => {
    stand.report(setSlice(slice(given)));
    await stand.settle(seconds(1));
  };
  return { stand, met, report, during };
}

const isMasqueraded = 'distant as the node';

describe('the last endpoint of the node', () => {
  test('goes: first strangers are kept away, then pods are sent elsewhere', async () => {
    const { report, met } = await start(web(), distant);
    await report(web({ ready: false, serving: false }), distant);
    expect(met()).toEqual({
      outside: ['web as itself', 'dropped'],
      pod: [
        'web as itself',
        'web as the node',
        'distant as the node, web as the node',
        isMasqueraded,
      ],
      node: [
        'web as itself',
        'web as the node',
        'distant as the node, web as the node',
        isMasqueraded,
      ],
    });
  });

  test('comes back: pods are sent to it before strangers are let in', async () => {
    const { report, met } = await start(distant);
    expect(met().outside).toEqual(['dropped']);
    await report(web(), distant);
    const inside = [
      isMasqueraded,
      'distant as the node, web as the node',
      'web as the node',
      'web as itself',
    ];
    expect(met()).toEqual({ outside: ['dropped', 'web as itself'], pod: inside, node: inside });
  });

  test('moves to another slice, and nobody notices', async () => {
    const { stand, met } = await start(web(), distant);
    stand.report(setSlice(slice([distant])));
    await stand.settle(100);
    stand.report(setSlice(slice([web()], { name: 'web-2' })));
    await stand.settle(seconds(1));
    const seen = ['web as itself'];
    expect(met()).toEqual({ outside: seen, pod: seen, node: seen });
  });

  test('terminates and serves on, for strangers too', async () => {
    const { report, met } = await start(web(), distant);
    await report(web({ ready: false, terminating: true }), distant);
    const seen = ['web as itself'];
    expect(met()).toEqual({ outside: seen, pod: seen, node: seen });
  });

  test('goes while another program holds the lock of iptables: it stays until the rules are written', async () => {
    const { stand, report, met } = await start(web(), distant);
    stand.kernel.firewall.isLocked = true;
    await report(web({ ready: false, serving: false }), distant);
    expect(met().outside).toEqual(['web as itself']);
    stand.kernel.firewall.isLocked = false;
    await stand.settle(seconds(1));
    expect(met().outside).toEqual(['web as itself', 'dropped']);
  });

  test('goes while its entry cannot be written: it stays until it can', async () => {
    const { stand, report, met } = await start(web(), distant);
    const { ipsets } = stand.kernel;
    const note = ipsets.failWith;
    ipsets.failWith = (call) => {
      note(call);
      return JSON.stringify(call).includes('NO-LOCAL') ? 'ENOMEM' : undefined;
    };
    await report(web({ ready: false, serving: false }), distant);
    expect(met().outside).toEqual(['web as itself']);
    ipsets.failWith = note;
    await stand.settle(seconds(5));
    expect(met().outside).toEqual(['web as itself', 'dropped']);
  });

  test('goes and comes back faster than rules are written', async () => {
    const { stand, report, met, during } = await start(web(), distant);
    const { firewall } = stand.kernel;
    const apply = firewall.apply.bind(firewall);
    firewall.apply = async (family, ruleset) => {
      await sleep(stand.clock, 300);
      await apply(family, ruleset);
    };
    for (let round = 0; round < 12; round++) {
      stand.report(
        setSlice(slice(round % 2 ? [web(), distant] : [web({ ready: false }), distant])),
      );
      await stand.settle(70 * (1 + (round % 7)));
    }
    await report(web(), distant);
    for (const outcome of during(outside)) expect(['web as itself', 'dropped']).toContain(outcome);
    for (const packet of [pod, node])
      for (const outcome of during(packet)) expect(outcome).not.toMatch(/dropped|refused/);
    expect(met().outside.at(-1)).toBe('web as itself');
  });
});

test('with no endpoint anywhere everybody is refused', async () => {
  const { report, met } = await start(distant);
  await report();
  expect(met()).toEqual({
    outside: ['dropped', 'refused'],
    pod: [isMasqueraded, 'refused'],
    node: [isMasqueraded, 'refused'],
  });
});

test('a Service that changes its policy keeps strangers away exactly as long as it says', async () => {
  const { stand, met } = await start(distant);
  stand.report(shop({ externalTrafficPolicy: 'Cluster' }));
  await stand.settle(seconds(1));
  expect(met().outside.at(-1)).toBe(isMasqueraded);
  stand.report(shop());
  await stand.settle(seconds(1));
  const { outside: seen, pod: inside } = met();
  expect([seen.at(-1), inside.at(-1)]).toEqual(['dropped', isMasqueraded]);
});

test('a Service that lost its address to another one keeps nobody from that one', async () => {
  const { stand, met } = await start(web(), distant);
  stand.report(
    shop({
      name: 'late',
      created: 2,
      clusterIPs: [ip('172.30.0.2')],
      ports: [servicePort()],
    }),
    setSlice(slice([distant], { name: 'late-1', serviceName: 'late' })),
  );
  await stand.settle(seconds(1));
  expect(met().outside).toEqual(['web as itself']);
  expect(stand.kernel.ipsets.dump()).not.toContain('add KUBE-IPVS-NO-LOCAL');
});

test('a Service that is deleted leaves no entry and no rule of it', async () => {
  const { stand } = await start(distant);
  const dump = () => `${stand.kernel.ipsets.dump()}\n${stand.kernel.firewall.dump('IPv4')}`;
  expect(dump()).toContain('add KUBE-IPVS-NO-LOCAL 203.0.113.80,tcp:80');
  expect(dump()).toContain('--match-set KUBE-IPVS-NO-LOCAL');
  stand.report(remove('Service', 'web'), remove('EndpointSlice', 'web-1'));
  await stand.settle(seconds(10));
  expect(dump()).not.toMatch(/add KUBE-IPVS-NO-LOCAL|--match-set KUBE-IPVS-NO-LOCAL/);
});

test('a start takes over what stands, and takes away an entry that is wrong by now', async () => {
  const { stand, met } = await start(distant);
  await stand.stop();
  stands.pop();
  const second = new Stand({ kernel: stand.kernel });
  stands.push(second);
  second.report(shop(), setSlice(slice([web(), distant])));
  await second.sync();
  await second.settle(seconds(1));
  const { outside: seen, pod: inside } = met();
  expect(seen).toEqual(['dropped', 'web as itself']);
  expect(inside).not.toContain('refused');
  expect(stand.kernel.firewall.dump('IPv4')).not.toContain('--match-set KUBE-IPVS-NO-LOCAL');
});
