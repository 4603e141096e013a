import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../../test/support/objects.ts';
import { footprint } from '../desired/footprints.ts';
import { Keys } from '../desired/keys.ts';
import { Ledger } from '../desired/ledger.ts';
import { noRuleContent } from '../desired/rule-content.ts';
import { setName } from '../desired/sets.ts';
import type { VipRoutes } from '../desired/vip-routes.ts';
import { Mirror, type RuleStatus } from '../observed/mirror.ts';
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

const noDepartures: Departures = {
  drainOf: () => 'none',
  isResting: () => false,
  hasResting: false,
};
const vipRoutes = {} as VipRoutes; // of no range

function plannedWith(over: Partial<Departures>) {
  const keys = new Keys();
  for (const key of ledger.virtualServers()) keys.addVirtualServer(key);
  const departures = { ...noDepartures, ...over };
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

const requested: RuleStatus = { written: undefined, requested: noRuleContent, isFailing: false };

test.each([
  ['of a start', undefined, ['loadBalancerFw']],
  ['that could not be read', { ...requested, requested: undefined }, ['loadBalancerFw']],
  ['that are requested', requested, []],
  ['that are written', { written: noRuleContent, requested: undefined, isFailing: false }, []],
] as const)('entries that deny keep their rules beside rules %s', (_, status, denying) => {
  const mirror = new Mirror();
  for (const id of ['loadBalancerFw', 'loadBalancer'] as const) {
    const entry = { type: 'hash:ip', ip: ip('203.0.113.80') } as const;
    mirror.recordSet(setName(id, 'IPv4'), new Map([['203.0.113.80', entry]]));
  }
  if (status !== undefined) mirror.recordRules('IPv4', status);
  const sources = { ledger, mirror, vipRoutes, departures: noDepartures, rotation: 0 };
  const [rules] = planInputFor(new Keys(), { ...sources, families: ['IPv4'] }).rules;
  expect([...(rules?.denying ?? [])]).toEqual(denying);
});
