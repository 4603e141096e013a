import { describe, expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import {
  endpoint,
  nodeContext as node,
  owner,
  service,
  servicePort,
  slice,
} from '../../../test/support/objects.ts';
import { virtualServerKey } from '../../ipvs/ipvs.ts';
import { packUid } from '../../kube/objects/pod-uid.ts';
import type { Service } from '../../kube/types.ts';
import { footprint } from './footprints.ts';
import { Ledger } from './ledger.ts';
import { unknownPod } from './pod-identity.ts';
import { noRealServers } from './real-servers.ts';
import type { Owner } from './service.ts';

const web = virtualServerKey({ address: ip('172.30.0.1'), protocol: 'TCP', port: 80 });

function want(
  { namespace, name, created }: Owner,
  over: Partial<Service> = {},
  realServer = '10.0.0.1',
) {
  return footprint(
    {
      service: service({ namespace, name, created, ...over }),
      slices: [slice([endpoint(realServer)])],
      vanished: [],
    },
    node,
  );
}

const old = owner('shop/web', 1);
const young = owner('shop/rival', 2);

describe('the ledger', () => {
  test('of two Services with one virtual server the older holds it, and the other takes over when it leaves', () => {
    const ledger = new Ledger();
    ledger.set(want(young, {}, '10.0.0.2'));
    ledger.set(want(old));
    expect(ledger.frontEnd(web)?.owner).toMatchObject(old);
    expect(ledger.conflicts.conflictCount).toBe(1);
    const conflict = { virtualServer: web, winner: 'shop/web', loser: 'shop/rival' };
    expect(ledger.conflicts.takeConflicts()).toEqual([conflict]);
    expect(ledger.conflicts.takeConflicts()).toEqual([]);
    const touched = ledger.remove(old.key);
    expect([...touched.virtualServers]).toEqual([web]);
    expect(ledger.frontEnd(web)?.owner).toMatchObject(young);
    expect(ledger.conflicts.conflictCount).toBe(0);
    expect(ledger.retired().size).toBe(0);
  });

  test('of equally old ones the name decides', () => {
    const ledger = new Ledger();
    ledger.set(want(owner('b/x', 1)));
    ledger.set(want(owner('a/x', 1)));
    expect(ledger.frontEnd(web)?.owner?.key).toBe('a/x');
  });

  test('entries and addresses stay until their last owner leaves', () => {
    const ledger = new Ledger();
    ledger.set(want(old));
    ledger.set(want(young, { ports: [servicePort({ port: 81 })] }));
    ledger.remove(old.key);
    ledger.release(web);
    expect(ledger.wantsAddress(ip('172.30.0.1'))).toBe(true);
    expect(ledger.wantsEntry('KUBE-CLUSTER-IP', '172.30.0.1,tcp:80')).toBe(false);
    expect(ledger.wantsEntry('KUBE-CLUSTER-IP', '172.30.0.1,tcp:81')).toBe(true);
  });

  test('a front end that nobody wants any more stays without real servers until it is released', () => {
    const ledger = new Ledger();
    ledger.set(want(old));
    ledger.remove(old.key);
    expect(ledger.frontEnd(web)).toMatchObject({
      owner: undefined,
      realServers: noRealServers,
      isBound: true,
    });
    expect(ledger.wantsEntry('KUBE-CLUSTER-IP', '172.30.0.1,tcp:80')).toBe(true);
    expect([...ledger.release(web).virtualServers]).toEqual([web]);
    // What tells a virtual server in the kernel as ours stays until it is gone.
    expect(ledger.wantsEntry('KUBE-CLUSTER-IP', '172.30.0.1,tcp:80')).toBe(false);
    expect(ledger.wantsEntry('KUBE-IPVS-IPS', '172.30.0.1')).toBe(true);
    expect(ledger.wantsAddress(ip('172.30.0.1'))).toBe(true);
    expect([...ledger.forget(web).addresses]).toEqual(['172.30.0.1']);
    expect([
      ledger.frontEnd(web),
      ledger.wantsAddress(ip('172.30.0.1')),
      [...ledger.ruleContent('IPv4').nonEmpty],
    ]).toEqual([undefined, false, []]);
  });

  test('a Service that comes back takes a retired front end over', () => {
    const ledger = new Ledger();
    ledger.set(want(old));
    ledger.remove(old.key);
    ledger.set(want(young));
    expect(ledger.frontEnd(web)?.owner).toMatchObject(young);
    expect(ledger.retired().size).toBe(0);
    expect([...ledger.release(web).virtualServers]).toEqual([]);
    expect(ledger.wantsAddress(ip('172.30.0.1'))).toBe(true);
  });

  test('a Service that comes back while its virtual server is being deleted keeps what was kept of it', () => {
    const ledger = new Ledger();
    ledger.set(want(old));
    ledger.remove(old.key);
    ledger.release(web);
    ledger.set(want(young));
    expect(ledger.leaving().size).toBe(0);
    expect(ledger.forget(web).isEmpty).toBe(true);
    expect(ledger.wantsAddress(ip('172.30.0.1'))).toBe(true);
    expect(ledger.wantsEntry('KUBE-CLUSTER-IP', '172.30.0.1,tcp:80')).toBe(true);
  });

  test('setting the same footprint again and taking it away leaves nothing', () => {
    const ledger = new Ledger();
    for (let round = 0; round < 3; round++) ledger.set(want(old));
    ledger.remove(old.key);
    ledger.release(web);
    ledger.forget(web);
    expect([...ledger.virtualServers(), ...ledger.addresses()]).toEqual([]);
    expect([...ledger.ruleContent('IPv4').nonEmpty]).toEqual([]);
  });

  test('two ports of one Service on the same virtual server are one claim', () => {
    const ledger = new Ledger();
    ledger.set(want(old, { ports: [servicePort(), servicePort({ name: 'again' })] }));
    expect(ledger.conflicts.conflictCount).toBe(0);
    ledger.remove(old.key);
    ledger.release(web);
    ledger.forget(web);
    expect([...ledger.virtualServers(), ...ledger.addresses()]).toEqual([]);
    expect([...ledger.ruleContent('IPv4').nonEmpty]).toEqual([]);
  });

  test('a real server is wanted for the same pod as far as both are known', () => {
    const ledger = new Ledger();
    ledger.set(want(old));
    const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
    const realServer = { address: ip('10.0.0.1'), port: 8080 };
    const answers = [packUid('pod-10.0.0.1'), unknownPod, packUid('another')].map((podUid) =>
      ledger.wantsRealServer(virtualServer, { realServer, podUid }),
    );
    expect(answers).toEqual([true, true, false]);
    expect(ledger.wantedRealServer(web, realServer)).toMatchObject({ weight: 1 });
    expect(ledger.wantedRealServer(web, { address: ip('10.0.0.2'), port: 8080 })).toBeUndefined();
  });
});
