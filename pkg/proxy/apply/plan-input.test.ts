import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { footprint } from '../desired/footprints.ts';
import { Keys } from '../desired/keys.ts';
import { Ledger } from '../desired/ledger.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import { Mirror } from '../observed/mirror.ts';
import { type Departures, planInputFor } from './plan-input.ts';

const ledger = new Ledger();
ledger.set(
  footprint(
    { service: service(), slices: [slice([endpoint('10.0.0.1')])], vanished: [] },
    {
      nodeName: 'here',
      zone: '',
      scheduler: 'rr',
      families: ['IPv4'],
      nodePortAddresses: [],
      nodeAddresses: new Set(),
      externalIPs: true,
      nodeIPs: [ip('192.168.0.10'), ip('2001:db8::10')],
    },
  ),
);

function plannedWith(over: Partial<Departures>) {
  const keys = new Keys();
  for (const key of ledger.virtualServers()) keys.addVirtualServer(key);
  const departures: Departures = {
    drainOf: () => 'none',
    isResting: () => false,
    hasResting: false,
    ...over,
  };
  const vipRoutes = {} as VipRoutes; // of no range
  const sources = { ledger, mirror: new Mirror(), vipRoutes, departures, rotation: 0 };
  const [planned] = planInputFor(keys, { ...sources, families: [] }).virtualServers;
  return planned;
}

test('the real servers of a new virtual server are planned together if they are alike', () => {
  const planned = plannedWith({});
  expect(planned?.realServers).toEqual([]);
  expect(planned?.alike).toMatchObject({ port: 8080, realServers: [{ address: '10.0.0.1' }] });
});

test('they are planned one by one while any real server must not be added yet', () => {
  const planned = plannedWith({ hasResting: true, isResting: () => true });
  expect(planned?.realServers).toMatchObject([{ address: '10.0.0.1', isResting: true }]);
  expect(planned?.alike).toBeUndefined();
});
