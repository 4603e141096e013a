import { afterEach, beforeEach, expect, test } from 'vitest';
import { reversed } from '../../pkg/conntrack/conntrack.ts';
import type { EndpointSlice } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, type SliceOptions, service, servicePort, slice } from '../support/objects.ts';
import { remove, Stand, setService, setSlice } from '../support/proxier.ts';

// What becomes of the flows of clients that send datagrams, when a UDP port or its endpoints go.

const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');
const vip = ip('172.30.0.1');
const node = ip('192.168.0.10');
const dns = servicePort({ protocol: 'UDP', port: 53, nodePort: 30_053 });
const resolver = (ports = [dns]) => service({ type: 'NodePort', ports });

let stand: Stand;

beforeEach(async () => {
  stand = new Stand({ syncPeriod: minutes(60) });
  stand.report(setService(resolver()), setSlice(endpoints([one])));
  await stand.sync();
  await stand.settle(seconds(2));
});

afterEach(async () => await stand.stop());

function endpoints(some: EndpointSlice['endpoints'], over: SliceOptions = {}) {
  return slice(some, { ports: [{ name: '', protocol: 'UDP', port: 5353 }], ...over });
}

/** A flow from a pod that an endpoint answers. */
function connect(to = vip, port = 53, answeredBy = one.address): void {
  const original = { source: ip('10.0.9.9'), destination: to, sourcePort: 1024 };
  stand.kernel.conntrack.insert({
    protocol: 'UDP',
    zone: 0,
    mark: 0,
    status: 0,
    tcpState: undefined,
    original: { ...original, destinationPort: port },
    reply: { ...reversed({ ...original, destinationPort: 5353 }), source: answeredBy },
  });
}

const flows = () =>
  stand.kernel.conntrack
    .print()
    .split('\n')
    .filter((line) => line !== '');

test('those of a Service that is deleted go, on its address and on its node port', async () => {
  connect();
  connect(node, 30_053);
  stand.report(remove('Service', 'web'));
  await stand.settle(seconds(2));
  expect(flows()).toEqual([]);
});

test('those of a port that is deleted go, and those of another stay', async () => {
  const other = servicePort({ name: 'other', protocol: 'UDP', port: 54 });
  const named = { ...dns, name: 'dns' };
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 5353 },
    { name: 'other', protocol: 'UDP', port: 5353 },
  ] as const;
  stand.report(setService(resolver([named, other])), setSlice(endpoints([one], { ports })));
  await stand.settle(seconds(2));
  connect();
  connect(vip, 54);
  stand.report(setService(resolver([other])));
  await stand.settle(seconds(2));
  expect(flows()).toEqual([expect.stringContaining('dport=54')]);
});

test('those of a front end without serving endpoints go when the answers in flight have come', async () => {
  connect();
  stand.report(setSlice(endpoints([{ ...one, ready: false, serving: false }])));
  await stand.settle(seconds(2));
  expect(flows()).toHaveLength(1);
  await stand.settle(seconds(0.1));
  expect(flows()).toEqual([]);
});

test('those of an endpoint that vanished beside another one go with its real server, which has gone a moment before', async () => {
  stand.report(setSlice(endpoints([one, two])));
  await stand.settle(seconds(2));
  connect();
  stand.report(setSlice(endpoints([two])));
  await stand.settle(700);
  expect([flows(), stand.kernel.ipvs.dump()]).toEqual([
    [expect.stringContaining(one.address)],
    expect.stringContaining(one.address),
  ]);
  await stand.settle(200);
  expect(flows()).toEqual([]);
  expect(stand.kernel.ipvs.dump()).not.toContain(one.address);
});

test('those of a real server whose flows could not be read when it went go later', async () => {
  stand.report(setSlice(endpoints([one, two])));
  await stand.settle(seconds(2));
  connect();
  stand.report(setSlice(endpoints([two])));
  await stand.settle(100);
  stand.kernel.conntrack.failWith = ({ call }) => (call === 'dump' ? 'ENOBUFS' : undefined);
  await stand.settle(seconds(2));
  stand.kernel.conntrack.failWith = () => undefined;
  expect(stand.kernel.ipvs.dump()).not.toContain(one.address);
  expect(flows()).toHaveLength(1);
  await stand.settle(seconds(2));
  expect(flows()).toEqual([]);
});

test('those of a lone endpoint go when it has left its slice for half a second, and not before', async () => {
  connect();
  stand.report(setSlice(endpoints([])));
  await stand.settle(499);
  expect(flows()).toHaveLength(1);
  await stand.settle(seconds(2));
  expect(flows()).toEqual([]);
});

test('those of a lone endpoint that moves to another slice stay', async () => {
  connect();
  stand.report(setSlice(endpoints([])));
  await stand.settle(300);
  stand.report(setSlice(endpoints([one], { name: 'web-2' })));
  await stand.settle(seconds(5));
  expect(flows()).toHaveLength(1);
});

test('those of a Service that another one takes over go, unless that one has the same endpoint', async () => {
  const heir = service({ name: 'heir', created: 9, ports: [{ ...dns, nodePort: 0 }] });
  const heirSlice = endpoints([one, two], { name: 'heir-1', serviceName: 'heir' });
  stand.report(setService(heir), setSlice(heirSlice));
  await stand.settle(seconds(2));
  connect();
  connect(node, 30_053);
  stand.report(remove('Service', 'web'));
  await stand.settle(seconds(2));
  expect(flows()).toEqual([expect.stringContaining(`dst=${vip}`)]);
});
