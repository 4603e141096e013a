import { describe, expect, test } from 'vitest';
import { type GivenFlags, readCommandLine } from './command-line.ts';
import { defaults, type Settings } from './fields.ts';
import { type Loaded, load } from './load.ts';
import { printViolation } from './validate.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';

function flags(argv: readonly string[]): GivenFlags {
  const result = readCommandLine(argv);
  if (result.action !== 'run') throw new Error(JSON.stringify(result));
  return result.given;
}

function loaded({ argv = [], file }: { argv?: readonly string[]; file?: string }): Loaded {
  return load(flags(argv), file === undefined ? undefined : head + file);
}

/** How settings differ from those of a configuration that says nothing but its mode. */
function changes({ settings }: Loaded): Partial<Settings> {
  const plain = {
    ...defaults,
    mode: 'ipvs',
    detectLocalMode: 'ClusterCIDR',
    'ipvs.scheduler': 'rr',
  };
  const entries = Object.entries(settings);
  return Object.fromEntries(
    entries.filter(
      ([path, value]) => JSON.stringify(value) !== JSON.stringify(plain[path as keyof Settings]),
    ),
  );
}

/** The lines that are told, without those about the mode. */
function reported({ notices }: Loaded): readonly string[] {
  return notices
    .map(({ message, details }) => [message, ...Object.values(details ?? {})].join(': '))
    .filter((line) => !line.startsWith('no proxy mode'));
}

test('nothing at all is the defaults, with one line about the mode', () => {
  const { settings, violations, notices } = load(flags([]), undefined);
  expect(changes({ settings } as Loaded)).toEqual({});
  expect([violations, notices.map(({ message }) => message)]).toEqual([
    [],
    ['no proxy mode given; using ipvs, the only one there is'],
  ]);
});

describe('where the servers listen', () => {
  test.each<[string[], string, string]>([
    [['--bind-address=::'], '[::]:10256', '[::1]:10249'],
    [['--bind-address', 'fd00::1'], '[::]:10256', '[::1]:10249'],
    [['--bind-address=::', '--bind-address=0.0.0.0'], '0.0.0.0:10256', '127.0.0.1:10249'],
    [['--bind-address=::', '--healthz-bind-address=0.0.0.0:1'], '0.0.0.0:1', '[::1]:10249'],
    [['--healthz-port=1', '--metrics-port=2'], '0.0.0.0:1', '127.0.0.1:2'],
    [['--healthz-port=1', '--healthz-bind-address=::1'], '[::1]:1', '127.0.0.1:10249'],
    [['--healthz-port=1', '--healthz-bind-address=1.1.1.1:7'], '1.1.1.1:7', '127.0.0.1:10249'],
    [['--healthz-port=0'], '', '127.0.0.1:10249'],
    [['--healthz-bind-address='], '', '127.0.0.1:10249'],
    [
      ['--healthz-bind-address=::', '--metrics-bind-address=1.1.1.1'],
      '[::]:10256',
      '1.1.1.1:10249',
    ],
    [['--metrics-port=0'], '0.0.0.0:10256', ''],
  ])('%j', (argv, healthz, metrics) => {
    const { settings } = loaded({ argv });
    expect([settings.healthzBindAddress, settings.metricsBindAddress]).toEqual([healthz, metrics]);
  });
  test.each([
    ['bindAddress: "::"', '[::]:10256', '[::1]:10249'],
    ['bindAddress: "::"\nhealthzBindAddress: ""', '[::]:10256', '[::1]:10249'],
    ['healthzBindAddress: ""\nmetricsBindAddress: null', '0.0.0.0:10256', '127.0.0.1:10249'],
    ['metricsBindAddress: 0.0.0.0:1', '0.0.0.0:10256', '0.0.0.0:1'],
  ])('a file: %j', (file, healthz, metrics) => {
    const { settings } = loaded({ file });
    expect([settings.healthzBindAddress, settings.metricsBindAddress]).toEqual([healthz, metrics]);
  });
});

describe('flags beside a file', () => {
  test.each<[string[], string, Partial<Settings>]>([
    [['--hostname-override=a'], 'hostnameOverride: b', { hostnameOverride: 'a' }],
    [['--master=https://m'], '', { '--master': 'https://m' }],
    [['--v=4'], 'logging: {verbosity: 2}', { 'logging.verbosity': 4 }],
    [['--v=0'], 'logging: {verbosity: 2}', {}],
    [['--logging-format=json'], '', { 'logging.format': 'json' }],
    [['--ipvs-manifests=/m'], 'ipvs: {manifests: /n}', { 'ipvs.manifests': '/m' }],
    [
      ['--vmodule=a=1'],
      'logging: {vmodule: [{filePattern: b, verbosity: 2}]}',
      {
        'logging.vmodule': [
          { filePattern: 'a', verbosity: 1 },
          { filePattern: 'b', verbosity: 2 },
        ],
      },
    ],
  ])('%j override %j', (argv, file, result) => {
    const state = loaded({ argv, file });
    expect([changes(state), reported(state).filter((line) => line.includes('beside'))]).toEqual([
      result,
      [],
    ]);
  });

  test('all others do not count and are named in one line', () => {
    const argv = ['--ipvs-scheduler=lc', '--conntrack-min=0', '--proxy-mode=iptables', '--v=1'];
    const state = loaded({ argv, file: 'mode: ipvs' });
    expect(changes(state)).toEqual({ 'logging.verbosity': 1 });
    expect(state.violations).toEqual([]);
    expect(reported(state)).toEqual([
      'flags do not count beside --config: --proxy-mode, --ipvs-scheduler, --conntrack-min',
    ]);
  });
});

describe('what is reported', () => {
  test.each<[string, string[], string | undefined, string[]]>([
    ['nothing', ['--cluster-cidr=10.0.0.0/8'], undefined, []],
    [
      'no effect, by flag, even with the default',
      ['--kube-api-qps=5', '--logtostderr=true', '--iptables-sync-period=20s'],
      undefined,
      ['options have no effect here: --kube-api-qps, --iptables-sync-period, --logtostderr'],
    ],
    [
      'no effect, by file, if it is not the default',
      [],
      'clientConnection: {qps: 7, burst: 0}\nnftables: {masqueradeBit: 3}\nportRange: ""',
      ['options have no effect here: --kube-api-qps, nftables.masqueradeBit'],
    ],
    [
      'deprecated',
      ['--healthz-port=10256', '--metrics-port=10249'],
      undefined,
      [
        'a flag is deprecated: --healthz-port: --healthz-bind-address',
        'a flag is deprecated: --metrics-port: --metrics-bind-address',
      ],
    ],
    [
      'removed',
      ['--resource-container=', '--udp-timeout=1s'],
      undefined,
      ['flags that no longer exist are ignored: --resource-container, --udp-timeout'],
    ],
    [
      'unknown and repeated fields',
      [],
      'udpIdleTimeout: 250ms\nconntrack: {max: 0, min: 131072}\noomScoreAdj: -999\nmode: ipvs\nmode: ipvs',
      [
        'using lenient decoding: the configuration file has unknown fields: udpIdleTimeout, conntrack.max',
        'using lenient decoding: the configuration file has fields twice, the last counts: mode',
      ],
    ],
    [
      'feature gates',
      ['--feature-gates=KubeProxyIPVS=false,AllowServiceExternalIPs=false,IPv6DualStack=true'],
      undefined,
      [
        'KubeProxyIPVS=false is ignored: this program has no other mode',
        'unknown feature gate IPv6DualStack has no effect',
      ],
    ],
    [
      'feature gates that are as they must be',
      ['--feature-gates=KubeProxyIPVS=true,AllowServiceExternalIPs=true,NativeHistograms=false'],
      undefined,
      [],
    ],
    [
      'a feature gate without effect',
      ['--feature-gates=NativeHistograms=true'],
      undefined,
      ['NativeHistograms=true has no effect: histograms have their classic form only'],
    ],
    [
      'manifests and an API',
      ['--ipvs-manifests=/m', '--master=https://m'],
      undefined,
      ['objects come from the manifests; kubeconfig and master are not used'],
    ],
  ])('%s', (_, argv, file, lines) =>
    expect(reported(loaded({ argv, ...(file && { file }) }))).toEqual(lines),
  );
});

test('what is wrong in a file comes all at once, types and values', () => {
  const file = [
    'mode: nftables',
    'ipvs: {syncPeriod: 30, minSyncPeriod: 40s, strictARP: "true", excludeCIDRs: [x, 7]}',
    'oomScoreAdj: 1.5',
    'conntrack: 7',
    'logging: {vmodule: [{filePattern: ""}]}',
    'clusterCIDR: 10.0.0.0',
  ].join('\n');
  const duration = 'must be a duration with a unit, such as 30s or 1h30m';
  expect(loaded({ file }).violations.map(printViolation)).toEqual(
    [
      `ipvs.syncPeriod: Invalid value: "30": ${duration}`,
      'ipvs.strictARP: Invalid value: "true": must be true or false',
      'ipvs.excludeCIDRs: Invalid value: "[\\"x\\",7]": must be a list of texts',
      'oomScoreAdj: Invalid value: "1.5": must be a whole number of 32 bits',
      'conntrack: Invalid value: "7": must be an object',
      'logging.vmodule: Invalid value: "[{\\"filePattern\\":\\"\\"}]": must be patterns with numbers, such as proxy*=4,config=2',
      `mode: Invalid value: "nftables": this program knows ipvs only: set ipvs here, or run upstream's kube-proxy for nftables`,
      'ipvs.syncPeriod: Invalid value: "30s": must be greater than or equal to KubeProxyConfiguration.ipvs.minSyncPeriod, 40s',
      'clusterCIDR: Invalid value: "10.0.0.0": must be a valid CIDR, or two of different families with a comma between them',
    ].map((line) => `KubeProxyConfiguration.${line}`),
  );
});

test('flags that decided are known, so that an error can name them', () => {
  expect(loaded({ argv: ['--v=1', '--bind-address=x'] }).fromFlags).toEqual(
    new Set(['logging.verbosity', 'bindAddress']),
  );
  expect(loaded({ argv: ['--v=1', '--bind-address=x'], file: '' }).fromFlags).toEqual(
    new Set(['logging.verbosity']),
  );
});

describe('a clean-up is asked for with any mode', () => {
  const modes = ['', 'ipvs', 'iptables', 'nftables'];
  test.each(modes.flatMap((file) => modes.map((flag) => [file, flag] as const)))(
    'file %j, flag %j',
    (file, flag) => {
      const argv = ['--cleanup', '--config=/c', `--proxy-mode=${flag}`];
      expect(loaded({ argv, file: `mode: "${file}"` }).violations).toEqual([]);
      expect(loaded({ argv: ['--cleanup', `--proxy-mode=${flag}`] }).violations).toEqual([]);
    },
  );
  test('but not with one that nobody has, and a start still knows ipvs only', () => {
    expect(loaded({ argv: ['--cleanup', '--proxy-mode=userspace'] }).violations).toHaveLength(1);
    expect(loaded({ argv: ['--proxy-mode=iptables'] }).violations).toHaveLength(1);
  });
});
