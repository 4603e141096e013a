import { listenAddress, must } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { bool, int32, text } from '../value-types.ts';
import { minor } from '../version.ts';

const group = 'Health and metrics';

/** The default ports of the two servers. */
export const defaultPorts = { healthz: 10_256, metrics: 10_249 } as const;

const previousRelease = `1.${minor - 1}`;

/** The two HTTP servers. */
export const serverFields = {
  healthzBindAddress: field(text, {
    flag: 'healthz-bind-address',
    default: `0.0.0.0:${defaultPorts.healthz}`,
    zeroIsDefault: true,
    group,
    help: 'Address and port of the health server; port 10256 if it has none. Empty as a flag: no server.',
    check: listenAddress({ port: defaultPorts.healthz, mayBeEmpty: true }),
  }),
  '--healthz-port': field(int32, {
    flag: 'healthz-port',
    default: defaultPorts.healthz,
    group,
    help: 'Port of the health server if its address has none. 0: no server.',
    deprecated: '--healthz-bind-address',
  }),
  metricsBindAddress: field(text, {
    flag: 'metrics-bind-address',
    default: `127.0.0.1:${defaultPorts.metrics}`,
    zeroIsDefault: true,
    group,
    help: 'Address and port of the metrics server; port 10249 if it has none.',
    check: listenAddress({ port: defaultPorts.metrics, mayBeEmpty: false }),
  }),
  '--metrics-port': field(int32, {
    flag: 'metrics-port',
    default: defaultPorts.metrics,
    group,
    help: 'Port of the metrics server if its address has none.',
    deprecated: '--metrics-bind-address',
  }),
  bindAddressHardFail: field(bool, {
    flag: 'bind-address-hard-fail',
    group,
    help: 'Exit if a server cannot listen, in place of trying again every 5 seconds.',
  }),
  enableProfiling: field(bool, {
    flag: 'profiling',
    group,
    help: 'Serve profiles below /debug/pprof, and /debug/flags/v, on the metrics server.',
  }),
  showHiddenMetricsForVersion: field(text, {
    flag: 'show-hidden-metrics-for-version',
    group,
    help: `Show metrics that were hidden since a release; only ${previousRelease} is accepted.`,
    support: noEffect('no metric is hidden'),
    check: must(
      `must be omitted or have the value ${previousRelease}`,
      (value) => value === '' || value === previousRelease,
    ),
  }),
};
