import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { KernelError } from '../../pkg/errno/errno.ts';
import { textReply } from '../../pkg/health/reply.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { ip } from '../../test/support/addresses.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { serve } from '../../test/support/http-server.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { manifestsOfWeb } from '../../test/support/web-node.ts';
import { type StatusOptions, statusWith } from './status.ts';

// The command on a kernel in memory, beside a whole program of ours, another one, and none.

const folder = mkdtempSync(join(tmpdir(), 'status-'));
const manifests = join(folder, 'objects.yaml');
writeFileSync(
  manifests,
  manifestsOfWeb([
    '{ addresses: [10.0.0.1], nodeName: here }',
    '{ addresses: [10.0.0.2], nodeName: elsewhere }',
  ]),
);
afterAll(() => rmSync(folder, { recursive: true }));

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
const one = { address: ip('10.0.0.1'), port: 8080 };
const two = { address: ip('10.0.0.2'), port: 8080 };

/** Runs the command on a kernel. */
async function run(
  argv: readonly string[],
  { kernel = new FakeKernel(), ...over }: { readonly kernel?: FakeKernel } & StatusOptions = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const { ipvs, links } = kernel;
  const open = async () => ({ sources: { ipvs, links }, close() {} });
  const command = statusWith({ isTerminal: false, env: {}, open, ...over });
  let text = '';
  const print = async (part: string) => void (text += part);
  const log = Object.assign(recordingLogger(), {
    end() {},
    lost: () => ({ leftOut: 0, dropped: 0 }),
  });
  const status = await command(['--hostname-override=here', ...argv], { log, print });
  return { status, text };
}

/** A whole program that serves `shop/web`, and the flag that names its metrics server. */
async function running(): Promise<{ program: AssembledProgram; flag: string }> {
  const program = await AssembledProgram.start(effective(defaults, 'here'));
  onTestFinished(() => program.stop());
  program.report(
    setService(service()),
    setSlice(slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2')])),
  );
  await program.sync();
  const { host } = new URL(await program.url('metrics server'));
  return { program, flag: `--metrics-bind-address=${host}` };
}

/** A kernel on which a proxy has made `shop/web`, and has ended. */
async function served(): Promise<FakeKernel> {
  const stand = new Stand();
  stand.report(
    setService(service()),
    setSlice(slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2')])),
  );
  await stand.sync();
  await stand.stop();
  return stand.kernel;
}

/** A server that is not on loopback is not asked. */
const noProxy = '--metrics-bind-address=192.0.2.1:10249';

describe('beside the running proxy', () => {
  test('names and history come from it, and connections from the kernel', async () => {
    const { program, flag } = await running();
    const { kernel } = program;
    kernel.ipvs.setCounters(web, one, { activeConnections: 12, inactiveConnections: 3 });
    const { status, text } = await run([flag], { kernel });
    expect([status, text.split('\n').slice(1)]).toEqual([
      0,
      [
        expect.stringMatching(/^Node here: kube-proxy v1\.37\.0\+ipvs\.1 since 0s$/) as string,
        '1 Service, 0 failing, 0 conflicts, 0 drains',
        'First sync 0s ago, in 0s',
        'No drift in the last hour',
        '',
        'shop/web',
        '  172.30.0.1:80/TCP  cluster IP  port 80  rr',
        '    10.0.0.1:8080  weight 1  12 active  3 inactive  here',
        '    10.0.0.2:8080  weight 1  0 active   0 inactive  elsewhere',
        '',
        'Everything that is shown is as it should be.',
        '',
      ],
    ]);
    expect(text).toMatch(
      /^From the kube-proxy of this node \(127\.0\.0\.1:\d+\), with weights and connections from the kernel\n/,
    );
  });

  test('a drain is shown with why, since when, and until when', async () => {
    const { program, flag } = await running();
    const { kernel, clock } = program;
    kernel.ipvs.setCounters(web, two, { activeConnections: 2 });
    const dying = { ready: false, serving: false, terminating: true };
    program.report(
      setSlice(slice([endpoint('10.0.0.1', { nodeName: 'here' }), endpoint('10.0.0.2', dying)])),
    );
    await clock.advance(seconds(75));
    const { status, text } = await run([flag], { kernel });
    expect(status).toBe(0);
    expect(text).toContain(
      [
        '    10.0.0.2:8080  weight 0  2 active  0 inactive  elsewhere  draining  its pod terminates and does not serve; for 1m15s, 13m45s at most',
        '    10.0.0.1:8080  weight 1  0 active  0 inactive  here\n',
      ].join('\n'),
    );
  });

  test('drift that was repaired is told', async () => {
    const { program, flag } = await running();
    program.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
    await program.clock.advance(minutes(2));
    const { text } = await run([flag], { kernel: program.kernel });
    expect(text).toMatch(
      /^Drift repaired in the last hour: 1 addVirtualServer, 2 addRealServer; \S+ ago: \+vs 172\.30\.0\.1:80\/TCP rr$/m,
    );
    expect(text).toMatch(/^Kernel audited \d+s ago, in 0s$/m);
  });

  test('status 2 where something is not as it should be, with a sum of it', async () => {
    const { program, flag } = await running();
    const { kernel, clock } = program;
    kernel.ipvs.fail = ({ kind }) => (kind === 'addVirtualServer' ? 'ENOMEM' : undefined);
    program.report(
      setService(
        service({
          name: 'other',
          created: 2,
          clusterIPs: [ip('172.30.0.2')],
          externalIPs: [ip('192.168.0.10'), ip('172.30.0.1')],
        }),
      ),
    );
    await clock.advance(seconds(1));
    const { status, text } = await run([flag, '--name=other'], { kernel });
    expect(status).toBe(2);
    expect(text).toContain(
      '\n  not honoured: spec.externalIPs 192.168.0.10: node_address\n  failed: virtual server TCP 172.30.0.2 80: ENOMEM, for ',
    );
    expect(text).toMatch(/^ {2}172\.30\.0\.1:80\/TCP .* Service shop\/web has it$/m);
    expect(text).toMatch(
      /\n\nNot as it should be: 2 not known after a failed write, 1 lost to another Service, 2 failed and tried again, 1 not honoured\.\n$/,
    );
  });

  test('without the right to read the kernel, connections come from it too', async () => {
    const { program, flag } = await running();
    program.kernel.ipvs.setCounters(web, one, { activeConnections: 7 });
    const refused = {
      info: () => {
        throw new KernelError('read IPVS', 'EPERM');
      },
      virtualServers: async () => [],
      realServers: async () => [],
    };
    const sources = { ipvs: refused, links: program.kernel.links };
    const { text } = await run([flag], { open: async () => ({ sources, close() {} }) });
    expect(text).toContain('  not asked: the kernel: read IPVS: EPERM\n');
    expect(text).toContain('10.0.0.1:8080  weight 1  7 active');
  });

  test('all pages are shown', async () => {
    const { program, flag } = await running();
    for (let index = 0; index < 130; index++)
      program.report(
        setService(service({ name: `s${index}`, clusterIPs: [ip(`172.30.1.${index}`)] })),
      );
    await program.clock.advance(seconds(1));
    const { text } = await run([flag], { kernel: program.kernel });
    expect(text.match(/^shop\/s\d+$/gm)).toHaveLength(130);
    expect(text.match(/^Node /gm)).toHaveLength(1);
  });

  test('JSON has the origin, the node and the Services', async () => {
    const { program, flag } = await running();
    const { status, text } = await run([flag, '-o', 'json'], { kernel: program.kernel });
    expect(status).toBe(0);
    expect(JSON.parse(text)).toMatchObject({
      version: 1,
      source: expect.stringContaining('the kube-proxy of this node') as string,
      notes: [],
      node: { name: 'here', hasSynced: true },
      services: [
        {
          name: 'web',
          virtualServers: [{ realServers: [{ connections: { active: 0, inactive: 0 } }, {}] }],
        },
      ],
    });
    expect(text.split('\n')).toHaveLength(5);
  });

  test('a Service that is not there', async () => {
    const { program, flag } = await running();
    const { status, text } = await run([flag, '--namespace=none'], { kernel: program.kernel });
    expect(status).toBe(3);
    expect(text).toContain('\nNo Service is served that was asked for.\n');
  });
});

describe('without a proxy of ours', () => {
  test('the kernel is read, with names from objects', async () => {
    const kernel = await served();
    kernel.ipvs.setCounters(web, two, { activeConnections: 4 });
    const { status, text } = await run([noProxy, `--ipvs-manifests=${manifests}`], { kernel });
    expect([status, text]).toEqual([
      0,
      [
        `From the kernel, with names from --ipvs-manifests ${manifests}`,
        '  not asked: the kube-proxy of this node: the metrics server listens on 192.0.2.1 alone',
        '',
        'shop/web',
        '  172.30.0.1:80/TCP  cluster IP  port 80  rr',
        '    10.0.0.1:8080  weight 1  0 active  0 inactive  here',
        '    10.0.0.2:8080  weight 1  4 active  0 inactive  elsewhere',
        '',
        'Everything that is shown is as it should be.',
        '',
      ].join('\n'),
    ]);
  });

  test('what is missing there, and what another proxy drains', async () => {
    const kernel = await served();
    const drained = { ...two, weight: 0, forwarding: 'masquerade' } as const;
    const unlimited = { upperThreshold: 0, lowerThreshold: 0 };
    kernel.ipvs.write([
      { kind: 'deleteRealServer', virtualServer: web, realServer: one },
      {
        kind: 'addRealServer',
        virtualServer: web,
        realServer: { ...drained, ...unlimited, address: ip('10.0.0.9') },
      },
    ]);
    const { status, text } = await run([noProxy, `--ipvs-manifests=${manifests}`], { kernel });
    expect(status).toBe(2);
    expect(text).toMatch(/^ {4}10\.0\.0\.1:8080 .* here +missing$/m);
    expect(text).toMatch(/^ {4}10\.0\.0\.9:8080 +weight 0 .* draining$/m);
    expect(text).toContain('\nNot as it should be: 1 missing in the kernel.\n');
  });

  test('without names there are addresses alone', async () => {
    const { status, text } = await run([noProxy], { kernel: await served() });
    expect([status, text]).toEqual([
      0,
      [
        'From the kernel, without names',
        '  not asked: the kube-proxy of this node: the metrics server listens on 192.0.2.1 alone',
        '',
        'No Service is known',
        '  172.30.0.1:80/TCP      rr',
        '    10.0.0.1:8080  weight 1  0 active  0 inactive',
        '    10.0.0.2:8080  weight 1  0 active  0 inactive',
        '',
        'Everything that is shown is as it should be.',
        '',
      ].join('\n'),
    ]);
  });

  test('objects that cannot be read leave addresses, and the reason', async () => {
    const kernel = await served();
    const { text } = await run([noProxy, `--ipvs-manifests=${folder}/none.yaml`], { kernel });
    expect(text).toMatch(/^ {2}not asked: --ipvs-manifests .*none\.yaml: /m);
    expect(text).toContain('172.30.0.1:80/TCP');
  });

  test('a kernel without IPVS is said to have none', async () => {
    const sources = { ipvs: undefined, links: new FakeKernel().links };
    const { status, text } = await run([noProxy], { open: async () => ({ sources, close() {} }) });
    expect(status).toBe(3);
    expect(text).toContain('From the kernel, which has no IPVS, without names\n');
  });
});

describe('beside a proxy that gives no page', () => {
  test.each([
    ['another kube-proxy', () => textReply(404, '404 page not found\n'), 'status 404'],
    ['no JSON', () => textReply(200, 'ok'), 'Unexpected token'],
    ['JSON of another form', () => textReply(200, '{"kind":"IpvsStatus"}'), 'version is not 1'],
    [
      'a later version',
      () => textReply(200, '{"kind":"IpvsStatus","version":2}'),
      'version is not 1',
    ],
    ['something huge', () => textReply(200, ' '.repeat(16 * 1024 * 1024 + 1)), 'has more than'],
  ])('%s', async (_, answer, reason) => {
    const { port } = await serve(new Map([['/debug/ipvs', answer]]));
    const flag = `--metrics-bind-address=127.0.0.1:${port}`;
    const { status, text } = await run([flag], { kernel: await served() });
    expect(status).toBe(0);
    expect(text).toContain(
      'From the kernel, without names\n  not asked: the kube-proxy of this node',
    );
    expect(text).toContain(reason);
    expect(text).toContain('172.30.0.1:80/TCP');
  });

  test('pages that never end are an error', async () => {
    const page = { kind: 'IpvsStatus', version: 1, time: '2025-01-01T00:00:00Z', node: null };
    const body = { ...page, services: [], continue: 'shop/web', unreadVirtualServers: 0 };
    const { port } = await serve(
      new Map([['/debug/ipvs', () => textReply(200, JSON.stringify(body))]]),
    );
    const command = run([`--metrics-bind-address=127.0.0.1:${port}`]);
    await expect(command).rejects.toThrow('the page after shop/web begins anew: shop/web');
  });
});

describe('--watch', () => {
  /** Runs the command until it has printed some times. */
  async function watched(
    argv: readonly string[],
    { kernel, times, between }: { kernel: FakeKernel; times: number; between?: () => void },
  ): Promise<string> {
    const clock = manualClock();
    const stop = new AbortController();
    let shown = 0;
    let text = '';
    const { ipvs, links } = kernel;
    const open = async () => ({ sources: { ipvs, links }, close() {} });
    const stopSignal = () => stop.signal;
    const command = statusWith({ isTerminal: false, env: {}, open, clock, stopSignal });
    const print = async (part: string) => {
      text += part;
      if (/(be|EIO)\.?\n\}?$|\]\}\n$/.test(part)) shown++;
    };
    const log = Object.assign(recordingLogger(), {
      end() {},
      lost: () => ({ leftOut: 0, dropped: 0 }),
    });
    const ended = command([noProxy, '--watch', ...argv], { log, print });
    for (let time = 1; time <= times; time++) {
      await vi.waitFor(() => expect(shown).toBe(time));
      between?.();
      if (time === times) stop.abort();
      else await clock.advance(seconds(2));
    }
    expect(await ended).toBe(0);
    return text;
  }

  test('shows it again, and ends with the signal', async () => {
    const kernel = await served();
    let time = 0;
    const between = () => kernel.ipvs.setCounters(web, one, { activeConnections: ++time });
    const text = await watched([], { kernel, times: 3, between });
    expect(
      [...text.matchAll(/10\.0\.0\.1:8080 .* (\d) active/g)].map(([, count]) => count),
    ).toEqual(['0', '1', '2']);
    expect(text).not.toContain('\u001b');
  });

  test('prints JSON in a line each time', async () => {
    const text = await watched(['-o', 'json'], { kernel: await served(), times: 2 });
    const lines = text.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { version: number }).version)).toEqual([1, 1]);
  });

  test('tells what fails later, and goes on', async () => {
    const kernel = await served();
    const read = kernel.ipvs.virtualServers.bind(kernel.ipvs);
    let time = 0;
    const between = () => {
      time++;
      kernel.ipvs.virtualServers = () =>
        time === 1 ? Promise.reject(new KernelError('dump', 'EIO')) : read();
    };
    const text = await watched([], { kernel, times: 3, between });
    expect(text).toContain('\ndump: EIO\nFrom the kernel');
  });

  test('clears a terminal each time', async () => {
    const stop = new AbortController();
    const { text } = await run([noProxy, '--watch'], {
      kernel: await served(),
      isTerminal: true,
      stopSignal() {
        stop.abort();
        return stop.signal;
      },
    });
    expect(text.startsWith('\u001b[H\u001b[2J\u001b[3J')).toBe(true);
  });
});

describe('colours', () => {
  test.each([
    ['on a terminal', { isTerminal: true }, true],
    ['not in a pipe', {}, false],
    ['not where NO_COLOR is set', { isTerminal: true, env: { NO_COLOR: '1' } }, false],
  ])('%s', async (_, options, isColoured) => {
    const { text } = await run([noProxy], { kernel: await served(), ...options });
    expect(text.includes('\u001b[32mEverything')).toBe(isColoured);
  });

  test('names of others have no effect on a terminal', async () => {
    const page = {
      kind: 'IpvsStatus',
      version: 1,
      time: '2025-01-01T00:00:00Z',
      node: null,
      services: [
        {
          namespace: '\u001b[2J',
          name: 'web\n',
          isDeleted: false,
          unhonoured: [{ reason: '\u0007', field: '\u009b', value: '\r' }],
          moreUnhonoured: 0,
          failures: [],
          moreFailures: 0,
          virtualServers: [],
          moreVirtualServers: 0,
        },
      ],
      continue: null,
      unreadVirtualServers: 0,
    };
    const { port } = await serve(
      new Map([['/debug/ipvs', () => textReply(200, JSON.stringify(page))]]),
    );
    const { text } = await run([`--metrics-bind-address=127.0.0.1:${port}`]);
    expect(text).toContain('\n\ufffd[2J/web\ufffd\n  not honoured: \ufffd \ufffd: \ufffd\n');
  });
});

test('help has examples and statuses', async () => {
  const { status, text } = await run(['--help']);
  expect(status).toBe(0);
  expect(text).toMatch(/^Examples:$[^]*^Exit status:$/m);
});

describe('what it does not take', () => {
  test.each([
    [['--output=yaml'], '--output: must be text or json'],
    [['--address=web'], '--address: "web" is not an IP address'],
    [['-n', 'Shop'], '--namespace: "Shop" is not the name of a namespace'],
    [['--watch', '--interval=1ms'], '--interval: must be 100ms or more'],
    [['--interval=often'], '--interval: must be'],
    [['web'], 'unexpected argument "web"'],
    [['--bogus'], 'unknown flag --bogus'],
    [['--version'], 'status has no such flag'],
  ])('%j', async (argv, reason) => {
    await expect(run(argv)).rejects.toThrow(reason);
  });
});
