import { spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isInstalled } from '../support/kubectl-plugin.ts';

// What the program shows on a terminal of work that takes long: an API server sends some Services and then nothing more.

let server: Server;

beforeEach(async () => {
  server = createServer(({ url }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    if (!url?.startsWith('/api/v1/services')) return;
    for (let index = 0; index < 3000; index++) {
      const metadata = { name: `web-${index}`, namespace: 'shop', resourceVersion: '1' };
      const object = { kind: 'Service', metadata, spec: { clusterIP: '172.30.0.1' } };
      response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const canRun = process.getuid?.() === 0 && isInstalled('script --version');

it.skipIf(!canRun)('a plan that waits for the API has a bar on a terminal', async () => {
  const { port } = server.address() as AddressInfo; // it listens
  const plan = `hack/run node cmd/kube-proxy/main.ts plan --master=http://127.0.0.1:${port}`;
  const terminal = spawn('script', ['-qec', plan, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const closed = new Promise((resolve) => terminal.once('close', resolve));
  let shown = '';
  terminal.stdout.on('data', (piece: Buffer) => {
    shown += piece.toString();
  });
  await expect.poll(() => shown).toContain('\r\u001b[Kreading Services: 3,000');
  terminal.kill();
  await closed;
});
