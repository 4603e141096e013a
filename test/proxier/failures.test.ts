import { afterEach, describe, expect, test } from 'vitest';
import { type ErrnoCode, KernelError } from '../../pkg/errno/errno.ts';
import type { ProxierState } from '../../pkg/proxy/reporter.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../support/objects.ts';
import { FakeKernel, recordingReporter, Stand, setService, setSlice } from '../support/proxier.ts';

const stands: Stand[] = [];

afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop();
});

const local = endpoint('10.0.0.1', { nodeName: 'here' });

/** `shop/web` on .1 with a node port and an endpoint of this node, and `shop/db` on .2. */
async function started(kernel: FakeKernel) {
  const states: ProxierState[] = [];
  const reporter = { ...recordingReporter(), state: (state: ProxierState) => states.push(state) };
  const stand = new Stand({ kernel, reporter });
  stands.push(stand);
  stand.report(
    setService(service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] })),
    setSlice(slice([local])),
    setService(service({ name: 'db', clusterIPs: [ip('172.30.0.2')] })),
    setSlice(slice([endpoint('10.0.0.2')], { name: 'db-1', serviceName: 'db' })),
  );
  await stand.sync();
  return { stand, reporter, failedServices: () => states.at(-1)?.failedServices };
}

/** Writes whose text matches fail, until `text` is something else. */
function breakable(kernel: FakeKernel, text: RegExp, code: ErrnoCode = 'EIO') {
  const fault: { text: RegExp | undefined } = { text };
  const strike = (write: object) => (fault.text?.test(JSON.stringify(write)) ? code : undefined);
  kernel.ipvs.fail = strike;
  kernel.ipsets.failWith = strike;
  kernel.links.failWith = strike;
  return fault;
}

describe('what fails', () => {
  test.each([
    ['its address', /"bindAddress".*"172\.30\.0\.1"/],
    ['its virtual server', /"addVirtualServer".*"172\.30\.0\.1"/],
    ['the entry of its node port', /"addEntry".*"bitmap:port"/],
    ['the entry of its own endpoint', /"addEntry".*"ip2"/],
  ])('counts a Service as failed for the sake of %s, until it works', async (_, text) => {
    const kernel = new FakeKernel();
    const fault = breakable(kernel, text);
    const { stand, failedServices } = await started(kernel);
    expect(failedServices()).toBe(1);
    expect(kernel.links.dump()).toContain('172.30.0.2');
    fault.text = undefined;
    await stand.settle(1_000);
    expect(failedServices()).toBe(0);
    const untroubled = new FakeKernel();
    await started(untroubled);
    expect(kernel.dump()).toBe(untroubled.dump());
  });

  test('is tried ever more rarely, and is no reason to read everything each second', async () => {
    const kernel = new FakeKernel();
    // Something is missing that should be there: that asks for an audit.
    breakable(kernel, /"addVirtualServer".*"172\.30\.0\.1"/, 'ENOENT');
    const { stand } = await started(kernel);
    for (let second = 0; second < 120; second++) await stand.settle(1_000);
    kernel.ipvs.resetCalls();
    for (let second = 0; second < 60; second++) await stand.settle(1_000);
    expect(kernel.ipvs.calls.virtualServers).toBeGreaterThan(0);
    expect(kernel.ipvs.calls.virtualServers).toBeLessThan(8);
  });

  test('is not forgotten if it cannot even be read when its time has come', async () => {
    const kernel = new FakeKernel();
    const fault = breakable(kernel, /"addRealServer".*"10\.0\.0\.3"/);
    const { stand } = await started(kernel);
    kernel.ipvs.virtualServer = () => {
      throw new KernelError('read virtual server', 'ENOBUFS');
    };
    stand.report(setSlice(slice([local, endpoint('10.0.0.3')])));
    await stand.settle(200);
    Reflect.deleteProperty(kernel.ipvs, 'virtualServer');
    fault.text = undefined;
    await stand.settle(3_000);
    expect(kernel.ipvs.dump()).toContain('10.0.0.3:8080');
  });

  test('rules that cannot be read do not keep an audit from the rest', async () => {
    const kernel = new FakeKernel();
    const { stand } = await started(kernel);
    kernel.firewall.failWith = ({ call }) => (call === 'check' ? 'EIO' : undefined);
    const before = kernel.dump();
    kernel.ipvs.write([
      {
        kind: 'deleteVirtualServer',
        virtualServer: { address: ip('172.30.0.2'), protocol: 'TCP', port: 80 },
      },
    ]);
    await stand.settle(30_000);
    expect(kernel.dump()).toBe(before);
  });
});

test('a set that is destroyed while an audit goes on comes back in the same audit', async () => {
  const kernel = new FakeKernel();
  const { stand } = await started(kernel);
  const before = kernel.dump();
  const sets = kernel.ipsets.sets.bind(kernel.ipsets);
  kernel.firewall.flushChain('IPv4', { table: 'nat', name: 'KUBE-SERVICES' });
  kernel.ipsets.sets = async () => {
    const all = await sets();
    kernel.ipsets.sets = sets;
    kernel.ipsets.destroy('KUBE-EXTERNAL-IP');
    return all;
  };
  await stand.settle(30_000);
  expect(kernel.dump()).toBe(before);
  expect(stand.log.lines().filter((line) => line.startsWith('error'))).toEqual([]);
});

test('Services without a local endpoint are counted by policy and family', async () => {
  const states: ProxierState[] = [];
  const reporter = { ...recordingReporter(), state: (state: ProxierState) => states.push(state) };
  const stand = new Stand({ reporter });
  stands.push(stand);
  const both = [ip('172.30.0.1'), ip('fd00:172:30::1')];
  const two = { clusterIPs: both, ports: [servicePort(), servicePort({ name: 'b', port: 81 })] };
  stand.report(
    setService(service({ ...two, internalTrafficPolicy: 'Local' })),
    setSlice(slice([local])),
    setSlice(slice([endpoint('fd00:10::2')], { name: 'web-6' })),
  );
  await stand.sync();
  expect(states.at(-1)?.withoutLocalEndpoints).toEqual({
    'internal IPv4': 0,
    'internal IPv6': 1,
    'external IPv4': 0,
    'external IPv6': 0,
  });
  stand.report(setService(service(two)));
  await stand.settle();
  expect(states.at(-1)?.withoutLocalEndpoints['internal IPv6']).toBe(0);
});
