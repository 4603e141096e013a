import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RecordingLogger, recordingLogger } from '../../pkg/log/memory.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { remove, Stand, setService, setSlice } from '../support/proxier.ts';

// What an operator reads at -v=2: one line for each change, in words of Kubernetes, and none while nothing changes.

let log: RecordingLogger;
let stand: Stand;
let read = 0;

beforeEach(() => {
  log = recordingLogger({ verbosity: 2 });
  stand = new Stand({ log });
  read = 0;
});
afterEach(() => stand.stop());

/** What was logged since the last call. */
function lines(): readonly string[] {
  const all = log.lines();
  const news = all.slice(read);
  read = all.length;
  return news;
}

const one = endpoint('10.0.0.1');
const two = endpoint('10.0.0.2');

/** A proxier that serves one Service, and has said so. */
async function serving(): Promise<void> {
  stand.report(setService(service()), setSlice(slice([one])));
  await stand.sync();
  await stand.settle(seconds(10));
  lines();
}

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

test('a first sync is one line beside that about the node, however many Services there are', async () => {
  for (let index = 1; index <= 20; index++) {
    const name = `s${index}`;
    const clusterIPs = [ip(`172.30.1.${index}`)];
    stand.report(
      setService(service({ name, clusterIPs })),
      setSlice(slice([one, two], { name, serviceName: name })),
    );
  }
  await stand.sync();
  expect(lines().filter((line) => line.startsWith('info'))).toEqual([
    'info node IPs {"primaryFamily":"IPv4","nodeIPs":"127.0.0.1 ::1"}',
    'info first sync done {"services":20,"milliseconds":0}',
  ]);
});

test('while nothing changes nothing is logged, however many audits go by', async () => {
  await serving();
  await stand.settle(minutes(10));
  expect(lines()).toEqual([]);
});

test('an endpoint that comes, goes, and is gone', async () => {
  await serving();
  stand.report(setSlice(slice([one, two])));
  await stand.settle();
  expect(lines()).toEqual([
    'info endpoints of a Service changed {"service":"shop/web","newEndpoints":"10.0.0.2:8080"}',
  ]);
  stand.kernel.ipvs.setCounters(
    virtualServer,
    { address: ip('10.0.0.1'), port: 8080 },
    { activeConnections: 1 },
  );
  stand.report(setSlice(slice([two, { ...one, ready: false, terminating: true }])));
  await stand.settle(seconds(1));
  expect(lines()).toEqual([
    'info endpoints of a Service changed {"service":"shop/web","drainingEndpoints":"10.0.0.1:8080"}',
  ]);
  stand.kernel.ipvs.setCounters(
    virtualServer,
    { address: ip('10.0.0.1'), port: 8080 },
    { activeConnections: 0 },
  );
  await stand.settle(minutes(2));
  expect(lines()).toEqual([
    expect.stringMatching(
      /^info drain ended {"realServer":"172.30.0.1:80\/TCP\/10.0.0.1:8080","end":"empty","seconds":\d+,"cutConnections":0}$/,
    ),
  ]);
});

test('a Service that comes and goes', async () => {
  await serving();
  stand.report(
    setService(service({ name: 'new', clusterIPs: [ip('172.30.0.9')] })),
    setSlice(slice([two], { name: 'new-1', serviceName: 'new' })),
  );
  await stand.settle();
  expect(lines()).toEqual([
    'info serving new addresses of a Service {"service":"shop/new","addresses":"172.30.0.9:80/TCP","newEndpoints":"10.0.0.2:8080"}',
  ]);
  stand.report(remove('Service', 'new'));
  await stand.settle(minutes(2));
  expect(lines().map((line) => line.replace(/"seconds":\d+/, '"seconds":0'))).toEqual([
    'info endpoints of a Service changed {"service":"shop/new","drainingEndpoints":"10.0.0.2:8080"}',
    'info drain ended {"realServer":"172.30.0.9:80/TCP/10.0.0.2:8080","end":"empty","seconds":0,"cutConnections":0}',
    'info no longer serving addresses of a Service {"service":"shop/new","goneAddresses":"172.30.0.9:80/TCP"}',
  ]);
});

test('a Service that is balanced otherwise', async () => {
  await serving();
  stand.report(setService(service({ clusterIPs: [ip('172.30.0.1')], affinitySeconds: 60 })));
  await stand.settle();
  expect(lines()).toEqual([
    'info addresses of a Service changed {"service":"shop/web","changedAddresses":"172.30.0.1:80/TCP"}',
  ]);
});

test('of many endpoints five are named', async () => {
  await serving();
  const many = Array.from({ length: 8 }, (_, index) => endpoint(`10.0.1.${index + 1}`));
  stand.report(setSlice(slice([one, ...many])));
  await stand.settle();
  expect(lines()).toEqual([
    'info endpoints of a Service changed {"service":"shop/web","newEndpoints":"10.0.1.1:8080 10.0.1.2:8080 10.0.1.3:8080 10.0.1.4:8080 10.0.1.5:8080 and 3 more"}',
  ]);
});

test('what an audit repairs has a line for each difference, once', async () => {
  await serving();
  const realServer = { address: ip('10.0.0.1'), port: 8080 };
  stand.kernel.ipvs.write([{ kind: 'deleteRealServer', virtualServer, realServer }]);
  await stand.settle(seconds(31));
  expect(lines()).toEqual([
    'info repaired a difference in the kernel {"operation":"+rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1"}',
  ]);
  await stand.settle(minutes(10));
  expect(lines()).toEqual([]);
});

test('what the kernel refuses is no change', async () => {
  await serving();
  const { ipvs } = stand.kernel;
  const write = ipvs.write.bind(ipvs);
  ipvs.write = (batch) => batch.map((_, index) => ({ index, error: new Error('no') }));
  stand.report(setSlice(slice([one, two])));
  await stand.settle();
  expect(lines().filter((line) => line.startsWith('info'))).toEqual([]);
  ipvs.write = write;
  await stand.settle(seconds(1));
  expect(lines().filter((line) => line.startsWith('info'))).toEqual([
    'info endpoints of a Service changed {"service":"shop/web","newEndpoints":"10.0.0.2:8080"}',
  ]);
});

test('without -v=2 changes have no line', async () => {
  const quiet = recordingLogger({ verbosity: 1 });
  await using stack = new AsyncDisposableStack();
  const other = stack.adopt(new Stand({ log: quiet }), (each) => each.stop());
  other.report(setService(service()), setSlice(slice([one])));
  await other.sync();
  const before = quiet.lines().length;
  other.report(setSlice(slice([one, two])));
  await other.settle(seconds(5));
  expect(quiet.lines()).toHaveLength(before);
});
