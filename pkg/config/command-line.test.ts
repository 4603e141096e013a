import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flagOfField, type GivenFlags, readCommandLine } from './command-line.ts';
import { removedFlags } from './fields/leftovers.ts';
import { type AnyField, fields } from './fields.ts';
import { helpText } from './help.ts';

function given(...argv: string[]): GivenFlags {
  const result = readCommandLine(argv);
  if (result.action !== 'run') throw new Error(`not a configuration: ${JSON.stringify(result)}`);
  return result.given;
}

function refused(...argv: string[]): readonly string[] {
  const result = readCommandLine(argv);
  if (result.action !== 'refuse') throw new Error(`accepted: ${JSON.stringify(result)}`);
  return result.errors;
}

/** Every flag of upstream, v1.37, and a value that it takes. */
const upstreamFlags = [
  '--config=/c --write-config-to=/w --cleanup --init-only --kubeconfig=/k --master=https://m',
  '--kube-api-content-type=application/json --kube-api-burst=20 --kube-api-qps=2.5',
  '--hostname-override=n --bind-address=:: --healthz-bind-address=127.0.0.1 --healthz-port=1',
  '--metrics-bind-address=127.0.0.1 --metrics-port=2 --bind-address-hard-fail --profiling',
  '--show-hidden-metrics-for-version=1.36 --feature-gates=A=true,B=false --proxy-mode=ipvs',
  '--iptables-masquerade-bit=3 --masquerade-all --iptables-localhost-nodeports=false',
  '--iptables-sync-period=20s --iptables-min-sync-period=2s --ipvs-sync-period=1m',
  '--ipvs-min-sync-period=1s --ipvs-scheduler=lc --ipvs-exclude-cidrs=10.0.0.0/8',
  '--ipvs-strict-arp --ipvs-tcp-timeout=1m --ipvs-tcpfin-timeout=2m --ipvs-udp-timeout=3m',
  '--detect-local-mode=NodeCIDR --cluster-cidr=10.0.0.0/8 --pod-bridge-interface=br0',
  '--pod-interface-name-prefix=cali --nodeport-addresses=primary,10.0.0.0/8',
  '--oom-score-adj=-998 --conntrack-max-per-core=0 --conntrack-min=0',
  '--conntrack-tcp-timeout-established=0s --conntrack-tcp-timeout-close-wait=0s',
  '--conntrack-tcp-be-liberal --conntrack-udp-timeout=10s --conntrack-udp-timeout-stream=20s',
  '--config-sync-period=1m --v=2 --vmodule=proxy=4,x=1 --logging-format=json',
  '--log-flush-frequency=1s --log-text-split-stream --log-text-info-buffer-size=1Ki',
  '--log-json-split-stream --log-json-info-buffer-size=1M --add-dir-header',
  '--alsologtostderr=true --log-backtrace-at=a.go:7 --log-dir=/l --log_file=/var/log/x',
  '--log-file-max-size=10 --logtostderr=false --one-output --skip-headers --skip-log-headers',
  '--stderrthreshold=INFO --boot-id-file=/b --machine-id-file=/m',
].flatMap((line) => line.split(' '));

describe('each flag of upstream is there, and changes something', () => {
  test.each(upstreamFlags)('%s', (argument) => {
    const { values, removed } = given(argument);
    const [[path, value] = []] = Object.entries(values);
    expect([Object.keys(values).length, removed.length]).toEqual([1, 0]);
    expect(value).not.toEqual(fields.find((row) => row.path === path)?.default);
  });
  test('all others are questions or ours', () => {
    const known = new Set(upstreamFlags.map((text) => text.replace(/=.*$/, '').replace(/_/, '-')));
    const others = fields.filter(({ flag }) => flag !== undefined && !known.has(`--${flag}`));
    expect(others.map(({ flag }) => flag)).toEqual([
      'version',
      'help',
      'ipvs-manifests',
      'ipvs-graceful-termination',
      'ipvs-drain-timeout',
      'ipvs-reset-waiting-clients',
      'ipvs-vip-binding',
      'ipvs-service-cluster-ip-range',
      'ipvs-restore-sysctls',
      'ipvs-estimation',
      'ipvs-service-annotations',
      'ipvs-service-metrics',
      'ipvs-status-page',
    ]);
  });
});

describe('a flag that is given again', () => {
  test.each<[string[], unknown]>([
    [['-v=1', '--v', '3'], { 'logging.verbosity': 3 }],
    [['--masquerade-all', '--masquerade-all=FALSE'], { 'iptables.masqueradeAll': false }],
    [
      ['--ipvs-exclude-cidrs=a,b', '--ipvs-exclude-cidrs', 'c'],
      { 'ipvs.excludeCIDRs': ['a', 'b', 'c'] },
    ],
    [
      ['--feature-gates=A=true,B=true', '--feature-gates=B=false,C=1'],
      { featureGates: { A: true, B: false, C: true } },
    ],
    [
      ['--vmodule=a=1', '--vmodule=b=2'],
      {
        'logging.vmodule': [
          { filePattern: 'a', verbosity: 1 },
          { filePattern: 'b', verbosity: 2 },
        ],
      },
    ],
  ])('%j', (argv, values) => expect({ ...given(...argv).values }).toEqual(values));
});

describe('what is refused, with the name of the flag', () => {
  const int32 = 'must be a whole number of 32 bits';
  test.each<[string[], string]>([
    [['--bogus'], 'unknown flag --bogus'],
    [['--bogus', 'value'], 'unknown flag --bogus'],
    [['--constructor'], 'unknown flag --constructor'],
    [['-x'], 'unknown flag -x'],
    [['-kubeconfig=/k'], 'unknown flag -kubeconfig'],
    [['--no-masquerade-all'], 'unknown flag --no-masquerade-all'],
    [['--kubeconfig'], '--kubeconfig needs a value'],
    [['-v'], '--v needs a value'],
    [['start'], 'unexpected argument "start"'],
    [['--', '--v=1'], 'unexpected argument "--v=1"'],
    [['--masquerade-all', 'false'], 'unexpected argument "false"'],
    [['--masquerade-all=yes'], '--masquerade-all: invalid value "yes": must be true or false'],
    [['--masquerade-all='], '--masquerade-all: invalid value "": must be true or false'],
    [['-v=x'], `--v: invalid value "x": ${int32}`],
    [['-v=1.5'], `--v: invalid value "1.5": ${int32}`],
    [['--v=2147483648'], `--v: invalid value "2147483648": ${int32}`],
    [['--v=08'], `--v: invalid value "08": ${int32}`],
    [['--kube-api-qps=x'], '--kube-api-qps: invalid value "x": must be a number'],
    [
      ['--ipvs-sync-period=30'],
      '--ipvs-sync-period: invalid value "30": must be a duration with a unit, such as 30s or 1h30m',
    ],
    [
      ['--feature-gates=A'],
      '--feature-gates: invalid value "A": must be names with true or false, such as A=true,B=false',
    ],
    [
      ['--vmodule=a=x'],
      '--vmodule: invalid value "a=x": must be patterns with numbers, such as proxy*=4,config=2',
    ],
    [
      ['--log-text-info-buffer-size=big'],
      '--log-text-info-buffer-size: invalid value "big": must be an amount, such as 0, 512Ki or 1M',
    ],
    [['--version=v1'], '--version: invalid value "v1": must be true, false or raw'],
  ])('%j', (argv, error) => expect(refused(...argv)).toEqual([error]));

  test('every error at once', () => {
    expect(refused('--a', 'b', 'c', '--v=c', '--kubeconfig')).toEqual([
      'unknown flag --a',
      'unexpected argument "c"',
      '--v: invalid value "c": must be a whole number of 32 bits',
      '--kubeconfig needs a value',
    ]);
  });
  test('before help is given', () => expect(refused('--help', '--a')).toHaveLength(1));
});

test.each([...removedFlags])('--%s of old releases is taken and named', (name) => {
  expect(given(`--${name}=`, '--v=1')).toEqual({
    values: { 'logging.verbosity': 1 },
    removed: [`--${name}`],
  });
});

describe('questions', () => {
  test.each<[string[], unknown]>([
    [['--help'], { action: 'help' }],
    [['-h'], { action: 'help' }],
    [['--version'], { action: 'version', isRaw: false }],
    [['--version=true'], { action: 'version', isRaw: false }],
    [['--version=raw'], { action: 'version', isRaw: true }],
    [['--version', '--help'], { action: 'help' }],
  ])('%j', (argv, result) => expect(readCommandLine(argv)).toEqual(result));
});

test('a value that a type prints is read back from the command line', () => {
  for (const row of fields.filter(({ flag }) => flag !== undefined)) {
    fc.assert(
      fc.property(valuesOf(row), (value) => {
        const argv = [`--${row.flag}=${row.type.print(value)}`];
        const result = readCommandLine(argv);
        if (result.action !== 'run') return; // help and version
        expect(result.given.values[row.path]).toEqual(value);
      }),
      { numRuns: 20 },
    );
  }
});

/** Values of an option's type, right or wrong beyond that. */
function valuesOf({ type }: AnyField): fc.Arbitrary<unknown> {
  const word = fc.stringMatching(/^[\w./:-]{1,12}$/);
  const byName: Record<string, fc.Arbitrary<unknown>> = {
    string: fc.string(),
    bool: fc.boolean(),
    int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    float32: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    duration: fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 1000 + 0),
    strings: fc.array(word),
    'name=bool,…': fc.dictionary(
      word.filter((name) => name !== '__proto__'),
      fc.boolean(),
    ),
    'pattern=N,…': fc.array(fc.record({ filePattern: word, verbosity: fc.nat(9) })),
    quantity: fc.nat().map(String),
    'true|false|raw': fc.constantFrom<unknown>(true, false, 'raw'),
  };
  return byName[type.name] ?? fc.constant(`no generator for ${type.name}`);
}

describe('the help', () => {
  test('names every flag once, under its group', () => {
    const text = helpText();
    for (const { flag, group } of fields) {
      if (flag === undefined) continue;
      const heading = text.indexOf(`\n${group}:\n`);
      const [found = '', ...others] =
        text.match(new RegExp(`^  (-h, )?--?${flag}( .*)?$`, 'gm')) ?? [];
      expect(heading, flag).toBeGreaterThan(0);
      expect([others, text.indexOf(found) > heading], flag).toEqual([[], true]);
    }
  });
  test('has lines for a terminal', () => {
    const long = helpText()
      .split('\n')
      .filter((line) => line.length > 92);
    expect(long).toEqual([]);
  });
  test.each(['  --ipvs-sync-period duration', '  -v int32', '  -h, --help', '  --masquerade-all'])(
    'has a line %j',
    (line) => expect(helpText().split('\n')).toContain(line),
  );
  test.each([
    'should be there. (default 30s) --',
    '(default 15m0s) --',
    '(default 0.0.0.0:10256) --',
    'Deprecated: use --healthz-bind-address. (default 10256) --',
    'Requests a second. No effect here: requests have a limit of their own. (default 5) --',
  ])('says %j', (part) => expect(helpText().replaceAll(/\s+/g, ' ')).toContain(part));
});

describe('the flag of a field', () => {
  test.each([
    ['ipvs.syncPeriod', '--ipvs-sync-period'],
    ['ipvs.excludeCIDRs[12]', '--ipvs-exclude-cidrs'],
    ['portRange', undefined],
    ['nonsense', undefined],
  ])('%s', (path, flag) => expect(flagOfField(path)).toBe(flag));
});
