import { describe, expect, test } from 'vitest';
import { printYaml } from '../yaml/yaml.ts';
import { configz } from './configz.ts';
import { documentOf } from './document.ts';
import { type AnyField, defaults, fields, isFileField, type Settings } from './fields.ts';
import { ConfigFileError, readConfigFile } from './file.ts';
import { load } from './load.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const nothing = { values: {}, removed: [] };

describe('a file is recognised by its content', () => {
  const yaml = `# a comment\n---\n${head}mode: ipvs\nipvs:\n  scheduler: "lc"\n`;
  const object = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'ipvs',
    ipvs: { scheduler: 'lc' },
  };
  test.each([
    ['YAML', yaml],
    ['YAML with Windows line ends', yaml.replaceAll('\n', '\r\n')],
    ['JSON', JSON.stringify(object)],
    ['JSON with tabs', `\n ${JSON.stringify(object, undefined, '\t')}`],
    ['kind at the end', `mode: ipvs\nipvs: {scheduler: lc}\n${head}`],
    ['a second document, which is not read', `${yaml}---\nmode: nonsense\n`],
  ])('%s', (_, text) => {
    const { values, unknown, violations } = readConfigFile(text);
    expect({ ...values }).toEqual({ mode: 'ipvs', 'ipvs.scheduler': 'lc' });
    expect([unknown, violations]).toEqual([[], []]);
  });
});

describe('what is no configuration', () => {
  const kinds =
    'apiVersion and kind must be kubeproxy.config.k8s.io/v1alpha1 and KubeProxyConfiguration, not';
  test.each([
    ['', 'is no object'],
    ['- a', 'is no object'],
    ['{"a":', 'is no JSON'],
    ['kind: [', 'is no YAML at line 1: BAD_INDENT'],
    ['a: 1\n b: 2', 'is no YAML at line 1: BLOCK_AS_IMPLICIT_KEY'],
    ['mode: ipvs', `${kinds} nothing and nothing`],
    ['apiVersion: v1\nkind: ConfigMap', `${kinds} v1 and ConfigMap`],
    [
      head.replace('v1alpha1', 'v1'),
      `${kinds} kubeproxy.config.k8s.io/v1 and KubeProxyConfiguration`,
    ],
    [' '.repeat(1024 * 1024 + 1), 'is longer than 1048576 characters'],
    [`${'['.repeat(200)}${']'.repeat(200)}`, 'is no YAML at line 1: REFUSED'],
  ])('%j', (text, message) => {
    expect(() => readConfigFile(text)).toThrow(new ConfigFileError(message));
  });
});

describe('true and false', () => {
  test.each([
    ['true', true],
    ['False', false],
    ['yes', true],
    ['Off', false],
    ['ON', true],
  ])('%s', (word, value) => {
    expect(load(nothing, `${head}ipvs: {resetWaitingClients: ${word}}\n`)).toMatchObject({
      settings: { 'ipvs.resetWaitingClients': value },
      violations: [],
    });
  });
});

test('unknown and repeated fields are reported with their paths', () => {
  const text = `${head}ipvs: {masqueradeAll: true, scheduler: rr, scheduler: lc}\nno: {a: 1}\n__proto__: {x: 1}\n`;
  const { values, unknown, repeated } = readConfigFile(text);
  expect([unknown, repeated]).toEqual([
    ['ipvs.masqueradeAll', 'no', '__proto__'],
    ['ipvs.scheduler'],
  ]);
  expect({ ...values }).toEqual({ 'ipvs.scheduler': 'lc' });
});

describe('null means the default, and zero where upstream reads it so', () => {
  const zeroMeansDefault = [
    ...['clientConnection.contentType', 'clientConnection.qps', 'clientConnection.burst'],
    ...['configSyncPeriod', 'bindAddress', 'ipvs.syncPeriod', 'ipvs.gracefulTermination'],
    'ipvs.estimation',
    ...['healthzBindAddress', 'metricsBindAddress', 'logging.format', 'logging.flushFrequency'],
    ...['ipvs.vipBinding'],
    ...['iptables.syncPeriod', 'iptables.minSyncPeriod'],
    ...['nftables.syncPeriod', 'nftables.minSyncPeriod'],
  ];
  const rows = fields.filter(isFileField).map((row) => [row.path, row] as const);
  test.each(rows)('%s', (path, row) => {
    const { settings: nulls } = load(nothing, textOf(path, null));
    expect(row.type.print(nulls[path])).toBe(row.type.print(preset(row)));
    const { settings: zeros } = load(nothing, textOf(path, row.type.encode(row.type.zero)));
    const expected = zeroMeansDefault.includes(path) ? preset(row) : resolved(path, row.type.zero);
    expect(row.type.print(zeros[path])).toBe(row.type.print(expected));
  });

  test('kubeadm writes the frequency of flushes as a number', () => {
    const { settings, violations } = load(nothing, textOf('logging.flushFrequency', 0));
    expect([settings['logging.flushFrequency'], violations]).toEqual([5_000, []]);
    const other = load(nothing, textOf('logging.flushFrequency', 1_500_000_000));
    expect(other.settings['logging.flushFrequency']).toBe(1_500);
  });
});

/** What an empty value of an option is taken for. */
function resolved(path: string, value: unknown): unknown {
  const words: Record<string, string> = {
    mode: 'ipvs',
    detectLocalMode: 'ClusterCIDR',
    'ipvs.scheduler': 'rr',
  };
  return value === '' ? (words[path] ?? value) : value;
}

function preset(row: AnyField): unknown {
  return resolved(row.path, row.default);
}

/** A file with one field. */
function textOf(path: string, value: unknown): string {
  const nested = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
  return head + printYaml(nested);
}

describe('a file that is written is the same configuration', () => {
  test('for the defaults, with nothing to tell of but the mode', () => {
    const { notices } = load(nothing, printYaml(documentOf({ ...defaults, mode: 'ipvs' })));
    expect(notices).toEqual([]);
  });
});

test('/configz shows the public names, and nothing of the command line alone', () => {
  const settings: Settings = {
    ...defaults,
    '--master': 'https://m',
    'conntrack.maxPerCore': 7,
    'ipvs.minSyncPeriod': 1_500,
    nodePortAddresses: ['primary'],
  };
  const shown = configz(settings)['kubeproxy.config.k8s.io'];
  expect(JSON.stringify(shown)).not.toContain('https://m');
  expect(shown).toMatchObject({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    conntrack: { maxPerCore: 7, tcpEstablishedTimeout: '24h0m0s' },
    ipvs: { minSyncPeriod: '1.5s', syncPeriod: '30s', excludeCIDRs: null, drainTimeout: '15m0s' },
    nodePortAddresses: ['primary'],
  });
});
