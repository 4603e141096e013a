import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HttpClient } from '../../pkg/kube/api/client.ts';
import { loadConnection } from '../../pkg/kube/credentials/config.ts';
import { noMetrics } from '../../pkg/kube/metrics.ts';
import { systemClock } from '../../pkg/runner/clock.ts';

const main = fileURLToPath(import.meta.resolve('@kube-proxy-ipvs/test-apiserver/main'));

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apiserver-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function start(...flags: string[]) {
  return spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
}

describe('the test API server as a process', () => {
  it('says where it listens, serves what it loaded, and ends when told to', async () => {
    const manifest = join(folder, 'all.yaml');
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(
      manifest,
      'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n',
    );
    const flags = ['--service-cluster-ip-range', '10.96.0.0/16', '--load', manifest];
    const child = start(...flags, '--kubeconfig-out', kubeconfig);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const url = line.toString().trim();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(readFileSync(kubeconfig, 'utf8')).toContain(`server: ${url}\n`);
    const connection = await loadConnection({ kubeconfig, master: '' });
    const client = new HttpClient({
      connection,
      clock: systemClock,
      metrics: noMetrics,
      userAgent: 'test',
    });
    const service = await client.get('/api/v1/namespaces/default/services/web');
    client.close();
    expect(service).toMatchObject({ spec: { clusterIP: '10.96.0.2' } });
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
  });

  it.each([
    [['--listen', 'nowhere'], '--listen nowhere: HOST:PORT is wanted'],
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['--load', '/does/not/exist'], 'ENOENT'],
  ])('says what is wrong with %j', async (flags, message) => {
    const child = start(...flags);
    const [said] = (await once(child.stderr, 'data')) as [Buffer];
    expect(said.toString()).toContain(message);
    expect(await once(child, 'close')).toEqual([1, null]);
  });
});
