/** The place itself: what all other kernel tests take for granted, so that its absence is said here, by name. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, type Namespace } from '../support/namespace.ts';

let namespace: Namespace;
beforeAll(() => {
  namespace = createNamespace();
});
afterAll(() => namespace.remove());

describe('the kernel has', () => {
  test('IPVS, and ipvsadm reads it', () => {
    expect(namespace.run('ipvsadm', '-Ln')).toMatch(/^IP Virtual Server version 1\.2\.1/);
    expect(namespace.run('cat', '/proc/net/ip_vs')).toMatch(/^IP Virtual Server version 1\.2\.1/);
  });

  test.each([
    'rr',
    'wrr',
    'lc',
    'wlc',
    'lblc',
    'lblcr',
    'sh',
    'dh',
    'mh',
    'sed',
    'nq',
    'fo',
    'ovf',
  ])('the scheduler %s', (scheduler) => {
    namespace.run('ipvsadm', '-A', '-t', '172.30.0.1:80', '-s', scheduler);
    const saved = namespace.run('ipvsadm', '-Sn');
    namespace.run('ipvsadm', '-D', '-t', '172.30.0.1:80');
    expect(saved).toContain(`-A -t 172.30.0.1:80 -s ${scheduler}`);
  });

  test.each(['dummy', 'bridge'])('devices of the type %s', (type) => {
    namespace.run('ip', 'link', 'add', 'probe0', 'type', type);
    const link = namespace.run('ip', '-d', 'link', 'show', 'dev', 'probe0');
    namespace.run('ip', 'link', 'delete', 'probe0');
    expect(link).toMatch(new RegExp(`^ +${type} `, 'm'));
  });

  test('veth pairs', () => {
    namespace.run('ip', 'link', 'add', 'left0', 'type', 'veth', 'peer', 'name', 'right0');
    const links = namespace.run('ip', '-br', 'link');
    namespace.run('ip', 'link', 'delete', 'left0');
    expect(links).toContain('left0@right0');
  });

  test.each([
    'bitmap:port',
    'hash:ip',
    'hash:ip,port',
    'hash:ip,port,ip',
    'hash:ip,port,net',
    'hash:net',
  ])('sets of the type %s', (type) => {
    const range = type === 'bitmap:port' ? ['range', '0-65535'] : [];
    namespace.run('ipset', 'create', 'PROBE', type, ...range);
    const saved = namespace.run('ipset', 'save', 'PROBE');
    namespace.run('ipset', 'destroy', 'PROBE');
    expect(saved).toContain(`create PROBE ${type} `);
  });

  test.each(['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy'])(
    'rules that match a set, through %s',
    (command) => {
      const family = command.startsWith('ip6') ? 'inet6' : 'inet';
      namespace.run('ipset', 'create', 'PROBE', 'hash:ip,port', 'family', family);
      const rule = [
        'POSTROUTING',
        '-m',
        'set',
        '--match-set',
        'PROBE',
        'dst,dst',
        '-j',
        'MASQUERADE',
      ];
      namespace.run(command, '-w', '-t', 'nat', '-A', ...rule);
      const listed = namespace.run(command, '-w', '-t', 'nat', '-S');
      namespace.run(command, '-w', '-t', 'nat', '-F');
      namespace.run('ipset', 'destroy', 'PROBE');
      expect(listed).toContain('-A POSTROUTING -m set --match-set PROBE dst,dst -j MASQUERADE');
    },
  );

  test('connection tracking that conntrack reads', () => {
    const listed = spawnSync('conntrack', ['-L'], { encoding: 'utf8' });
    expect(listed).toMatchObject({ status: 0, stderr: expect.stringContaining('have been shown') });
  });

  test('SCTP', () => {
    spawnSync('modprobe', ['sctp']);
    expect(readFileSync('/proc/net/protocols', 'utf8')).toMatch(/^SCTP /m);
  });
});

describe('hack/with-kernel.sh gives', () => {
  test('root, and the place by name', () => {
    expect(process.geteuid?.()).toBe(0);
    expect(['native', 'vm']).toContain(process.env['KERNEL_WHERE']);
  });

  test('a folder that is written to', () => {
    const path = join(process.env['KERNEL_SHARE'] ?? '/no-share', `machine-test-${process.pid}`);
    writeFileSync(path, 'written inside');
    const text = readFileSync(path, 'utf8');
    rmSync(path);
    expect(text).toBe('written inside');
  });
});
