import { afterEach, expect, test } from 'vitest';
import { seconds } from '../../pkg/runner/clock.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { remove, Stand, setService, setSlice } from '../support/proxier.ts';

// What a Service asks for that is not done is said once in the log, and shown as long as it is so.

let stand: Stand;

afterEach(() => stand.stop());

const outer = ip('203.0.113.9');

function said(): readonly string[] {
  return stand.log.lines().filter((line) => line.includes('not all of a Service is honoured'));
}

test('a gate that is off is said once of each Service, however often it is entered, and forgotten with it', async () => {
  stand = new Stand({ externalIPs: false });
  stand.report(
    setService(service({ externalIPs: [outer] })),
    setSlice(slice([endpoint('10.0.0.1')])),
  );
  await stand.sync();
  const line =
    'warning not all of a Service is honoured {"service":"shop/web","what":"spec.externalIPs 203.0.113.9: gate"}';
  expect(said()).toEqual([line]);
  stand.report(setService(service({ externalIPs: [outer], affinitySeconds: 60 })));
  await stand.settle(seconds(60));
  expect(said()).toEqual([line]);
  expect([...stand.reports.unhonouredServices]).toEqual([['shop/web', 'gate']]);
  stand.report(remove('Service', 'web'));
  await stand.settle();
  expect([...stand.reports.unhonouredServices]).toEqual([]);
});

test('an address that comes onto the node, and goes, is said and shown at once', async () => {
  stand = new Stand();
  stand.report(setService(service({ externalIPs: [outer] })));
  await stand.sync();
  expect(said()).toEqual([]);
  stand.kernel.links.addAddress({ link: 'eth0', address: outer, prefixLength: 24 });
  await stand.settle(seconds(1));
  expect([...stand.reports.unhonouredServices]).toEqual([['shop/web', 'node_address']]);
  expect(said()).toHaveLength(1);
  stand.kernel.links.removeAddress({ link: 'eth0', address: outer });
  await stand.settle(seconds(1));
  expect([...stand.reports.unhonouredServices]).toEqual([]);
});
