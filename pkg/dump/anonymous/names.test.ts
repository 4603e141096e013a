import { describe, expect, test } from 'vitest';
import type { NameKind } from '../replace.ts';
import { NameReplacer } from './names.ts';

function replacer(names: Partial<Record<NameKind, readonly string[]>>): NameReplacer {
  const sets = Object.entries(names).map(
    ([kind, some]) => [kind as NameKind, new Set(some)] as const,
  );
  return new NameReplacer(new Map(sets));
}

describe('names stay that say nothing about a cluster', () => {
  test.each([
    ['namespace', 'default'],
    ['service', 'kubernetes'],
    ['port', 'http'],
    ['chain', 'KUBE-SERVICES'],
    ['chain', 'KUBE-IPVS-OUT-FILTER'],
    ['chain', 'MASQUERADE'],
    ['set', 'KUBE-NODE-PORT-TCP'],
    ['device', 'kube-ipvs0'],
    ['device', 'eth0'],
    ['device', 'bond0.100'],
    ['device', 'cali+'],
    ['table', 'nat'],
  ] as const)('%s %s', (kind, name) => {
    expect(replacer({ [kind]: [name.replace('+', '')] }).name(kind, name)).toBe(name);
  });
});

describe('other names are replaced', () => {
  test.each([
    ['namespace', 'shop', 'namespace-1'],
    ['set', 'acme', 'set-1'],
    ['chain', 'KUBE-SVC-ABCDEFGHIJKLMN23', 'KUBE-SVC-AAAAAAAAAAAAAAAA'],
    ['chain', 'KUBE-POD-FW-ABCDEFGHIJKLMN23', 'KUBE-POD-FW-AAAAAAAAAAAAAAAA'],
    ['device', 'cali12ab34cd56', 'cali000001'],
    ['device', 'acme0', 'd1-'],
    ['uid', 'x', '00000000-0000-4000-8000-000000000001'],
    ['hardware', '02:42:ac:11:00:02', '02:00:00:00:00:00'],
    ['table', 'inet acme', 'inet table-1'],
    ['release', '6.1.0-acme', '6.1.0'],
  ] as const)('%s %s', (kind, name, expected) => {
    expect(replacer({ [kind]: [name] }).name(kind, name)).toBe(expected);
  });
});

test('names of a kind keep their order, namespaces as in the keys of objects', () => {
  const names = replacer({ namespace: ['a-x', 'a', 'b'], service: ['z', 'y'] });
  const of = (kind: NameKind, ...some: readonly string[]) =>
    some.map((name) => names.name(kind, name));
  expect(of('namespace', 'a-x', 'a', 'b')).toEqual(['namespace-1', 'namespace-2', 'namespace-3']);
  expect(of('service', 'y', 'z')).toEqual(['service-1', 'service-2']);
});

test('a name of several kinds has one replacement, in texts too', () => {
  const names = replacer({ namespace: ['shop'], service: ['shop'], zone: ['1'] });
  expect([names.name('service', 'shop'), names.word('shop')]).toEqual([
    'namespace-1',
    'namespace-1',
  ]);
  expect([names.word('other'), names.word('1')]).toEqual([undefined, undefined]);
});

test('no replacement is a name that is there', () => {
  const names = replacer({ service: ['service-1', 'service-2', 'service-a1'] });
  const replaced = ['service-1', 'service-2', 'service-a1'].map((name) =>
    names.name('service', name),
  );
  expect(replaced).toEqual(['service-b1', 'service-b2', 'service-b3']);
});

test('devices that rules match on by a prefix still begin with it', () => {
  const names = replacer({ device: ['acme', 'acmeb', 'acme0', 'acmeb7', 'other'] });
  const [acme, acmeb, acme0, acmeb7, other] = ['acme+', 'acmeb+', 'acme0', 'acmeb7', 'other'].map(
    (name) => names.name('device', name),
  );
  expect([acme, acmeb, acme0, acmeb7, other]).toEqual([
    'd1-+',
    'd1-3-+',
    'd1-2-',
    'd1-3-4-',
    'd5-',
  ]);
});
