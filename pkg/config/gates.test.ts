import { expect, test } from 'vitest';
import { gateStates } from './gates.ts';

const byDefault = [
  'AllowServiceExternalIPs DEPRECATED on',
  'ComponentFlagz BETA on',
  'ComponentStatusz BETA on',
  'KubeProxyIPVS DEPRECATED on',
  'MultiCIDRServiceAllocator  on',
  'NativeHistograms ALPHA off',
  'PreferSameTrafficDistribution  on',
];

test.each<[string, Record<string, boolean>, readonly string[]]>([
  ['nothing', {}, byDefault],
  [
    'gates that are obeyed',
    { AllowServiceExternalIPs: false, ComponentFlagz: false, ComponentStatusz: false },
    [
      'AllowServiceExternalIPs DEPRECATED off',
      'ComponentFlagz BETA off',
      'ComponentStatusz BETA off',
      ...byDefault.slice(3),
    ],
  ],
  ['KubeProxyIPVS, which is not', { KubeProxyIPVS: false }, byDefault],
  ['NativeHistograms, which is not', { NativeHistograms: true }, byDefault],
  ['a gate of other programs', { SomethingElse: true }, byDefault],
])('the states with %s', (_, gates, expected) =>
  expect(
    gateStates(gates).map(({ name, stage, isOn }) => `${name} ${stage} ${isOn ? 'on' : 'off'}`),
  ).toEqual(expected),
);
