import { describe, expect, test } from 'vitest';
import { flagOfField, helpText, readCommandLine } from './command-line.ts';
import { flags } from './flags.ts';
import { type Configuration, defaults } from './types.ts';

function configured(...argv: string[]): Configuration {
  const result = readCommandLine(argv);
  if (result.action !== 'run') throw new Error(`not a configuration: ${JSON.stringify(result)}`);
  return result.configuration;
}

function refused(...argv: string[]): readonly string[] {
  const result = readCommandLine(argv);
  if (result.action !== 'refuse') throw new Error(`accepted: ${JSON.stringify(result)}`);
  return result.errors;
}

test('without arguments, everything has its default', () => {
  expect(configured()).toEqual(defaults);
});

describe('each flag sets its field', () => {
  const rows: [string, (configuration: Configuration) => unknown, unknown][] = [
    ['--kubeconfig=/k', (c) => c.clientConnection.kubeconfig, '/k'],
    ['--master=https://m', (c) => c.master, 'https://m'],
    ['--hostname-override=n', (c) => c.hostnameOverride, 'n'],
    ['--proxy-mode=ipvs', (c) => c.mode, 'ipvs'],
    ['--masquerade-all', (c) => c.iptables.masqueradeAll, true],
    ['--iptables-masquerade-bit=7', (c) => c.iptables.masqueradeBit, 7],
    ['--bind-address=192.168.0.1', (c) => c.bindAddress, '192.168.0.1'],
    ['--ipvs-scheduler=lc', (c) => c.ipvs.scheduler, 'lc'],
    ['--ipvs-exclude-cidrs=172.30.0.0/16', (c) => c.ipvs.excludeCIDRs, ['172.30.0.0/16']],
    ['--ipvs-sync-period=1m', (c) => c.ipvs.syncPeriod, 60_000],
    ['--ipvs-min-sync-period=2s', (c) => c.ipvs.minSyncPeriod, 2_000],
    ['--ipvs-manifests=/m', (c) => c.ipvs.manifests, '/m'],
    ['--ipvs-graceful-termination=connections', (c) => c.ipvs.gracefulTermination, 'connections'],
    ['--ipvs-drain-timeout=1h', (c) => c.ipvs.drainTimeout, 3_600_000],
    ['--ipvs-reset-waiting-clients=false', (c) => c.ipvs.resetWaitingClients, false],
    ['--ipvs-restore-sysctls=false', (c) => c.ipvs.restoreSysctls, false],
    ['--ipvs-service-annotations', (c) => c.ipvs.serviceAnnotations, true],
    ['--detect-local-mode=NodeCIDR', (c) => c.detectLocalMode, 'NodeCIDR'],
    ['--cluster-cidr=10.0.0.0/8', (c) => c.clusterCIDR, '10.0.0.0/8'],
    ['--pod-bridge-interface=cbr0', (c) => c.detectLocal.bridgeInterface, 'cbr0'],
    ['--pod-interface-name-prefix=cali', (c) => c.detectLocal.interfaceNamePrefix, 'cali'],
    ['--healthz-bind-address=[::]:1', (c) => c.healthzBindAddress, '[::]:1'],
    ['--metrics-bind-address=', (c) => c.metricsBindAddress, ''],
    ['--v=4', (c) => c.logging.verbosity, 4],
  ];
  test.each(rows)('%s', (argument, get, value) => {
    expect(get(configured(argument))).toEqual(value);
    expect(get(defaults)).not.toEqual(value);
  });
  test('and there is no other with a field', () => {
    expect(flags.filter(({ field }) => field !== undefined)).toHaveLength(rows.length);
  });
});

describe('the spellings of pflag', () => {
  test.each<[string, string[], number]>([
    ['--x=y', ['--v=2'], 2],
    ['--x y', ['--v', '2'], 2],
    ['-x y', ['-v', '2'], 2],
    ['-x=y', ['-v=2'], 2],
    ['-xy', ['-v2'], 2],
    ['the last wins', ['-v=1', '--v', '3'], 3],
    ['hexadecimal', ['-v=0x10'], 16],
    ['octal', ['-v=010'], 8],
    ['octal, explicit', ['-v=0o10'], 8],
    ['binary', ['-v=0b101'], 5],
    ['a sign', ['-v=+5'], 5],
    ['a value that begins with a dash', ['-v', '-5'], -5],
  ])('%s', (_, argv, verbosity) => expect(configured(...argv).logging.verbosity).toBe(verbosity));

  test.each<[string[], boolean]>([
    [['--masquerade-all'], true],
    [['--masquerade-all=true'], true],
    [['--masquerade-all=T'], true],
    [['--masquerade-all=1'], true],
    [['--masquerade-all=false'], false],
    [['--masquerade-all=0'], false],
    [['--masquerade-all', '--masquerade-all=FALSE'], false],
    [['--masquerade_all'], true],
  ])('boolean %j', (argv, value) => {
    expect(configured(...argv).iptables.masqueradeAll).toBe(value);
  });

  test('_ is - in names and stays in values', () => {
    expect(configured('--hostname_override=a_b').hostnameOverride).toBe('a_b');
    expect(configured('--hostname_override', 'a_b').hostnameOverride).toBe('a_b');
    expect(configured('--hostname_override', '--a_b').hostnameOverride).toBe('--a_b');
  });
  test('= in a value stays', () => {
    expect(configured('--kubeconfig=a=b=').clientConnection.kubeconfig).toBe('a=b=');
    expect(configured('--kubeconfig', '=b').clientConnection.kubeconfig).toBe('=b');
  });
  test('an empty value is a value', () => {
    expect(configured('--healthz-bind-address', '').healthzBindAddress).toBe('');
  });
  test('a list grows by comma and by repetition', () => {
    const argv = ['--ipvs-exclude-cidrs=a,b', '--ipvs-exclude-cidrs', 'c'];
    expect(configured(...argv).ipvs.excludeCIDRs).toEqual(['a', 'b', 'c']);
    expect(configured('--ipvs-exclude-cidrs=').ipvs.excludeCIDRs).toEqual([]);
  });
  test('-- alone is nothing', () => expect(configured('--')).toEqual(defaults));
});

describe('what is refused, with the name of the flag', () => {
  test.each<[string[], string]>([
    [['--bogus'], 'unknown flag --bogus'],
    [['--bogus=1'], 'unknown flag --bogus'],
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
    [['-v=x'], '--v: invalid value "x": must be a whole number of 32 bits'],
    [['-v=1.5'], '--v: invalid value "1.5": must be a whole number of 32 bits'],
    [['-v='], '--v: invalid value "": must be a whole number of 32 bits'],
    [['--v=2147483648'], '--v: invalid value "2147483648": must be a whole number of 32 bits'],
    [['--v=08'], '--v: invalid value "08": must be a whole number of 32 bits'],
    [
      ['--ipvs-sync-period=30'],
      '--ipvs-sync-period: invalid value "30": must be a duration with a unit, such as 30s or 1h30m',
    ],
    [['--version=v1'], '--version: invalid value "v1": must be true, false or raw'],
  ])('%j', (argv, error) => expect(refused(...argv)).toEqual([error]));

  test('every error at once', () => {
    expect(refused('--a', 'b', '--v=c', '--kubeconfig')).toEqual([
      'unknown flag --a',
      'unexpected argument "b"',
      '--v: invalid value "c": must be a whole number of 32 bits',
      '--kubeconfig needs a value',
    ]);
  });
  test('before help is given', () => expect(refused('--help', '--a')).toHaveLength(1));
});

describe('where the servers listen follows the address of the node', () => {
  test.each<[string[], string, string]>([
    [['--bind-address=::'], '[::]:10256', '[::1]:10249'],
    [['--bind-address', 'fd00::1'], '[::]:10256', '[::1]:10249'],
    [['--bind-address=::', '--bind-address=0.0.0.0'], '0.0.0.0:10256', '127.0.0.1:10249'],
    [['--bind-address=::', '--healthz-bind-address=0.0.0.0:1'], '0.0.0.0:1', '[::1]:10249'],
    [['--metrics-bind-address=', '--bind-address=::'], '[::]:10256', ''],
  ])('%j', (argv, healthz, metrics) => {
    const configuration = configured(...argv);
    expect(configuration.healthzBindAddress).toBe(healthz);
    expect(configuration.metricsBindAddress).toBe(metrics);
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
    [['--version=false', '--help=false'], { action: 'run', configuration: defaults }],
  ])('%j', (argv, result) => expect(readCommandLine(argv)).toEqual(result));
});

describe('the help', () => {
  test('names every flag once, under its group', () => {
    const text = helpText();
    for (const { name, group, help } of flags) {
      const heading = text.indexOf(`\n${group}:\n`);
      expect(heading).toBeGreaterThan(0);
      expect(text.indexOf(help)).toBeGreaterThan(heading);
      expect(text.match(new RegExp(`^  (-h, )?--?${name}( |$)`, 'gm'))).toHaveLength(1);
    }
  });
  test('prints types and defaults', () => {
    expect(helpText()).toContain('  --ipvs-sync-period duration\n');
    expect(helpText()).toContain('should be there. (default 30s)\n');
    expect(helpText()).toContain('(default 15m0s)\n');
    expect(helpText()).toContain('taken away. (default true)\n');
    expect(helpText()).toContain('(default 0.0.0.0:10256)\n');
    expect(helpText()).toContain('(default 14)\n');
    expect(helpText()).toContain('  -v int32\n');
    expect(helpText()).toContain('  -h, --help\n');
    expect(helpText()).toContain('  --masquerade-all\n');
  });
});

describe('the flag of a field', () => {
  test.each([
    ['ipvs.syncPeriod', '--ipvs-sync-period'],
    ['ipvs.excludeCIDRs[12]', '--ipvs-exclude-cidrs'],
    ['nonsense', undefined],
  ])('%s', (path, flag) => expect(flagOfField(path)).toBe(flag));
});
