import fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentOf } from '../../pkg/config/document.ts';
import { load } from '../../pkg/config/load.ts';
import { printYaml } from '../../pkg/yaml/yaml.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const nothing = { values: {}, removed: [] };

/** Files in which some fields have valid values. */
const validFiles = fc
  .record(
    {
      hostnameOverride: fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/),
      bindAddress: fc.ipV4().filter((text) => !text.startsWith('0')),
      healthzBindAddress: fc.constantFrom('', '::', '127.0.0.1', '[::1]:1', '0.0.0.0:10256'),
      mode: fc.constantFrom('', 'ipvs'),
      oomScoreAdj: fc.integer({ min: -1000, max: 1000 }),
      clusterCIDR: fc.constantFrom('', '10.0.0.0/8', '10.0.0.0/8,fd00::/64'),
      featureGates: fc.dictionary(fc.stringMatching(/^[A-Z]\w{0,9}$/), fc.boolean()),
      nodePortAddresses: fc.array(fc.constantFrom('all', 'primary', '10.0.0.0/8')),
      ipvs: fc.record(
        {
          syncPeriod: fc.constantFrom('0s', '30s', '1h0m0s', '1.5s', '90m'),
          scheduler: fc.constantFrom('', 'rr', 'lc', '~', 'null', '1', 'yes'),
          strictARP: fc.boolean(),
          drainTimeout: fc.constantFrom('0s', '15m'),
        },
        { requiredKeys: [] },
      ),
      conntrack: fc.record(
        { maxPerCore: fc.nat(1e6), tcpEstablishedTimeout: fc.constantFrom('0s', '1ns', '24h') },
        { requiredKeys: [] },
      ),
      logging: fc.record(
        {
          verbosity: fc.nat(9),
          vmodule: fc.array(
            fc.record({ filePattern: fc.stringMatching(/^\w+$/), verbosity: fc.nat(9) }),
          ),
          flushFrequency: fc.constantFrom<unknown>(0, '5s', 1_000_000),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  .map((object) => head + (Object.keys(object).length === 0 ? '' : printYaml(object)));

test('a file that is written is the same configuration, for whatever a valid file says', () => {
  fc.assert(
    fc.property(validFiles, (text) => {
      const first = load(nothing, text);
      expect(first.violations).toEqual([]);
      const second = load(nothing, printYaml(documentOf(first.settings)));
      expect([second.violations, second.settings]).toEqual([[], first.settings]);
      const asJson = load(nothing, JSON.stringify(documentOf(first.settings)));
      expect(asJson.settings).toEqual(first.settings);
    }),
  );
});
