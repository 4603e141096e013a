import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { createNamespace, type Namespace, run } from '../support/namespace.ts';
import { fetchText } from '../support/network/http.ts';
import { Program } from '../support/program.ts';

// What the program sets of its node and of itself, read back with the tools of the system.

let namespace: Namespace;
let folder: string;
beforeEach(() => {
  namespace = createNamespace();
  folder = mkdtempSync(join(tmpdir(), 'start-'));
});
afterEach(() => {
  namespace.remove();
  rmSync(folder, { recursive: true });
});

/** A configuration file with some fields. */
function configFile(text: string): string {
  const path = join(folder, 'config.conf');
  const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
  writeFileSync(path, `${head}mode: ipvs\nmetricsBindAddress: 127.0.0.1:10249\n${text}`);
  return path;
}

function sysctl(name: string): string {
  return namespace.run('sysctl', '-n', name).trim();
}

function scrape(): Promise<string> {
  const node = { name: 'node', namespace, addresses: [] };
  return fetchText(node, { address: ip('127.0.0.1'), port: 10_249, path: '/metrics' });
}

test('--init-only prepares the node and ends', async () => {
  const config = configFile(
    'ipvs: {strictARP: true, tcpTimeout: 800s, udpTimeout: 290s}\nconntrack: {tcpBeLiberal: true}\n',
  );
  const program = await Program.start(namespace, { flags: ['--init-only', `--config=${config}`] });
  expect(await program.ended(), program.output).toEqual({ status: 0, signal: null });
  expect(
    [
      ...[
        'net.ipv4.vs.conntrack',
        'net.ipv4.conf.all.arp_ignore',
        'net.ipv4.conf.all.arp_announce',
      ],
      ...['tcp_timeout_established', 'tcp_timeout_close_wait', 'tcp_be_liberal'].map(
        (name) => `net.netfilter.nf_conntrack_${name}`,
      ),
    ].map(sysctl),
  ).toEqual(['1', '1', '2', '86400', '3600', '1']);
  const timeouts = namespace.run('ipvsadm', '-L', '--timeout');
  expect(timeouts).toBe('Timeout (tcp tcpfin udp): 800 120 290\n');
});

test('the process is called kube-proxy, is not to be killed for want of memory, and ends when its file changes', async () => {
  const config = configFile('');
  const program = await Program.start(namespace, {
    flags: [`--config=${config}`, `--ipvs-manifests=${folder}`],
  });
  try {
    await program.said('first sync done');
    expect(run('ps', '-o', 'comm=', '-p', String(program.pid)).trim()).toBe('kube-proxy');
    expect(run('ps', '-o', 'args=', '-p', String(program.pid))).toMatch(
      /^kube-proxy --hostname-override/,
    );
    expect(readFileSync(`/proc/${program.pid}/oom_score_adj`, 'utf8')).toBe('-999\n');
    configFile('ipvs: {syncPeriod: nonsense}\n');
    await program.said('refused the changed configuration file');
    await expect.poll(scrape).toMatch(/^kubeproxy_ipvs_config_file_refused 1$/m);
    configFile('ipvs: {syncPeriod: 1m}\n');
    expect(await program.ended()).toEqual({ status: 1, signal: null });
    expect(program.output).toContain('configuration file was updated');
  } finally {
    await program.end('SIGKILL');
  }
});
