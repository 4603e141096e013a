import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { ExecCall, ExecResult } from '@kube-proxy-ipvs/test-apiserver/exec';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { findKubectl, Kubectl } from '../support/kubectl.ts';
import {
  catalog,
  endpoints,
  isInstalled,
  nodeWithProxy,
  type ProxyPod,
  pod,
  proxyPod,
} from '../support/kubectl-plugin.ts';

// `kubectl ipvs`, called by the real kubectl on the test API server. Nodes, pods and look-ups are real, and so are the connection and the
// exit status of `kubectl exec`. What runs in the pod is faked: the API server answers with what the test says.

const path = findKubectl();
const reason = path === undefined ? ' (there is none: set KUBECTL or put it into .cache/)' : '';
const plugin = readFileSync('deploy/kubectl/kubectl-ipvs', 'utf8');
const flags = ['--config=/var/lib/kube-proxy/config.conf', '--hostname-override=worker-1'];

test.skipIf(!isInstalled('shellcheck --version'))('shellcheck has nothing to say', () => {
  const { stdout } = spawnSync('shellcheck', ['deploy/kubectl/kubectl-ipvs'], { encoding: 'utf8' });
  expect(stdout).toBe('');
});

describe.skipIf(path === undefined)(`kubectl ipvs${reason}`, () => {
  let server: ApiServer;
  let kubectl: Kubectl;
  let calls: ExecCall[];
  /** What the program in the pod prints and how it ends; its `--help` is that of ours unless a test says otherwise. */
  let result: ExecResult;
  let help: ExecResult;

  beforeEach(async () => {
    server = await startApiServer();
    kubectl = new Kubectl(path ?? '', server.kubeconfig());
    kubectl.install('kubectl-ipvs', plugin);
    calls = [];
    result = { stdout: 'answer\n' };
    help = { stdout: '  kube-proxy explain --help\n  kube-proxy plan --help\n' };
    server.exec = (call) => {
      if (call.command.join(' ') === 'kube-proxy --help') return help;
      calls.push(call);
      return result;
    };
  });

  afterEach(async () => {
    kubectl[Symbol.dispose]();
    await server.close();
  });

  function add(...objects: readonly (KubeObject | KubeObject[])[]): void {
    for (const object of objects.flat()) server.apply(object);
  }

  /** Runs the plugin through kubectl; it must succeed. Returns what the pod was told to run, and what was said about it. */
  async function ask(...argv: readonly string[]) {
    const { code, stdout, stderr } = await kubectl.run(['ipvs', ...argv]);
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: result.stdout ?? '' });
    return { call: calls.at(-1), command: calls.at(-1)?.command, said: stderr };
  }

  /** Runs the plugin; it must fail without running anything in a pod. */
  async function fail(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await kubectl.run(['ipvs', ...argv]);
    expect({ code, stdout, calls }).toEqual({ code: 1, stdout: '', calls: [] });
    return stderr;
  }

  const run = (subcommand: string, ...argv: readonly string[]) => [
    'kube-proxy',
    subcommand,
    ...flags,
    ...argv,
  ];

  describe('asks the right node', () => {
    it('that of --node, and says nothing about it', async () => {
      add(nodeWithProxy('worker-1'), nodeWithProxy('worker-2'));
      const { call, said } = await ask('plan', '--node', 'worker-1');
      expect(call).toEqual({
        namespace: 'kube-system',
        pod: 'kube-proxy-ipvs-worker-1',
        container: 'kube-proxy',
        command: run('plan'),
        isTerminal: false,
      });
      expect(said).toBe('');
    });

    it('that of the pod, which is asked for by its address, as kube-proxy may not read pods', async () => {
      add(
        nodeWithProxy('worker-1'),
        nodeWithProxy('worker-2'),
        pod('cart-x', { node: 'worker-1' }),
      );
      const { command, said } = await ask('explain', 'pod/shop/cart-x', 'svc/shop/catalog:http');
      expect(command).toEqual(run('explain', '10.244.1.7', 'svc/shop/catalog:http'));
      expect(said).toBe(
        'kubectl ipvs: asking node worker-1, where pod shop/cart-x is 10.244.1.7 (pod kube-system/kube-proxy-ipvs-worker-1)\n',
      );
    });

    it('another one for a pod, if --node says so', async () => {
      add(
        nodeWithProxy('worker-1'),
        nodeWithProxy('worker-2'),
        pod('cart-x', { node: 'worker-1' }),
      );
      const { call, said } = await ask(
        'explain',
        'pod/shop/cart-x',
        'node:30080',
        '--node=worker-2',
      );
      expect(call?.pod).toBe('kube-proxy-ipvs-worker-2');
      expect(said).toContain('asked about pod shop/cart-x of node worker-1 as 10.244.1.7');
    });

    it('that of a pod of the host network, which is the node', async () => {
      add(nodeWithProxy('worker-1'), pod('agent', { node: 'worker-1', isHost: true }));
      const { command } = await ask('explain', 'pod/shop/agent', '10.96.0.1:443');
      expect(command).toEqual(run('explain', 'node', '10.96.0.1:443'));
    });

    it.each([
      ['[fd00::1]:80', 'fd00:244::7'],
      ['10.96.0.1:80', '10.244.1.7'],
      ['node:30080', '10.244.1.7'],
      ['svc/shop/catalog:http', '10.244.1.7'],
      ['svc/shop/six:http', 'fd00:244::7'],
    ])('for %s by the address %s of a pod with two', async (to, from) => {
      const ips = ['10.244.1.7', 'fd00:244::7'];
      const spec = { clusterIP: 'fd00:172:30::9', ipFamilies: ['IPv6'], ports: [{ port: 80 }] };
      add(nodeWithProxy('worker-1'), pod('cart-x', { node: 'worker-1', ips }), catalog);
      add({ ...catalog, metadata: { name: 'six', namespace: 'shop' }, spec });
      const { command } = await ask('explain', 'pod/shop/cart-x', to);
      expect(command).toEqual(run('explain', from, to));
    });

    it.each(['10.244.1.7', 'node=192.168.0.1', '192.168.0.1'])(
      'that which has %s',
      async (from) => {
        add(
          nodeWithProxy('worker-1'),
          nodeWithProxy('worker-2'),
          pod('cart-x', { node: 'worker-1' }),
        );
        add(pod('agent', { node: 'worker-1', ips: ['192.168.0.1'], isHost: true }));
        const { call } = await ask('explain', from, '172.30.0.1:80');
        expect(call).toMatchObject({
          pod: 'kube-proxy-ipvs-worker-1',
          command: run('explain', from, '172.30.0.1:80'),
        });
      },
    );

    it('for a Service one with a ready endpoint, and says which', async () => {
      add(nodeWithProxy('worker-1'), nodeWithProxy('worker-2'), nodeWithProxy('worker-3'));
      add(catalog, endpoints({ node: 'worker-1', ready: false }, {}, { node: 'worker-3' }));
      const { call, said } = await ask('explain', 'outside=203.0.113.9', 'svc/shop/catalog:http');
      expect(call?.pod).toBe('kube-proxy-ipvs-worker-3');
      expect(said).toContain(
        'asking node worker-3, which has a ready endpoint of svc/shop/catalog',
      );
    });

    it('for a Service without one any, and says so', async () => {
      add(nodeWithProxy('worker-1'), nodeWithProxy('worker-2'), catalog);
      const { said, command } = await ask('status', 'svc/shop/catalog', '--watch');
      expect(command).toEqual(run('status', '--namespace=shop', '--name=catalog', '--watch'));
      expect(said).toContain('asking node worker-1, as good as any: no node with');
    });

    it('the only one', async () => {
      add(nodeWithProxy('worker-1'));
      const { said } = await ask('plan');
      expect(said).toContain('asking node worker-1 (pod');
    });

    it('any for the help of a subcommand', async () => {
      add(nodeWithProxy('worker-1'), nodeWithProxy('worker-2'));
      expect((await ask('explain', '--help')).command).toEqual(run('explain', '--help'));
    });
  });

  describe('asks the right pod', () => {
    it.each<[string, Partial<ProxyPod>, readonly string[], string]>([
      ["kubeadm's", { app: 'kube-proxy' }, [], 'kube-proxy-worker-1'],
      ['of other labels', { app: 'lb' }, ['--proxy-selector=k8s-app=lb'], 'lb-worker-1'],
      [
        'of another namespace',
        { namespace: 'net' },
        ['--proxy-namespace', 'net'],
        'kube-proxy-ipvs-worker-1',
      ],
    ])('%s', async (_, more, argv, name) => {
      add(nodeWithProxy('worker-1', more));
      const { call } = await ask('plan', '--node=worker-1', ...argv);
      expect(call).toMatchObject({ pod: name, namespace: more.namespace ?? 'kube-system' });
    });

    it('by the environment', async () => {
      add(nodeWithProxy('worker-1', { app: 'lb', namespace: 'net', container: { name: 'main' } }));
      const env = {
        KUBECTL_IPVS_NAMESPACE: 'net',
        KUBECTL_IPVS_SELECTOR: 'k8s-app=lb',
        KUBECTL_IPVS_CONTAINER: 'main',
      };
      expect(await kubectl.run(['ipvs', 'plan'], '', env)).toMatchObject({ code: 0 });
      expect(calls).toMatchObject([{ namespace: 'net', pod: 'lb-worker-1', container: 'main' }]);
    });

    it('that which runs, and of two that run ours', async () => {
      add(nodeWithProxy('worker-1', { app: 'kube-proxy' }), proxyPod('worker-1', { name: 'ours' }));
      expect((await ask('plan')).call?.pod).toBe('ours');
      const state = { waiting: { reason: 'CrashLoopBackOff' } };
      add(proxyPod('worker-1', { name: 'ours', state }));
      expect((await ask('plan')).call?.pod).toBe('kube-proxy-worker-1');
    });
  });

  describe('gives the subcommand', () => {
    it.each<[string, Readonly<Record<string, unknown>>, readonly string[]]>([
      [
        'command',
        { command: ['/usr/local/bin/kube-proxy', '--v=2', '--x=$(NODE_NAME)-$(ZONE)'], args: [] },
        ['--v=2', '--x=worker-1-a=b'],
      ],
      [
        'launcher',
        { command: ['/go-runner', '--log-file=/f', '--', 'kube-proxy', '--v=3'], args: ['--v=4'] },
        ['--v=3', '--v=4'],
      ],
    ])('the flags of the running one, from its %s', async (_, container, expected) => {
      const env = [
        { name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
        { name: 'ZONE', value: 'a=b' },
      ];
      add(nodeWithProxy('worker-1', { container: { env, ...container } }));
      const { command } = await ask('plan', '--node=worker-1');
      expect(command).toEqual(['kube-proxy', 'plan', ...expected]);
    });

    it('none that it cannot know, and says so', async () => {
      const script = { command: ['/bin/sh', '-c', 'mkfifo x\nexec kube-proxy --v=2'], args: [] };
      add(nodeWithProxy('worker-1', { container: script }));
      const { command, said } = await ask('plan', '--node=worker-1', '--v=1');
      expect(command).toEqual(['kube-proxy', 'plan', '--v=1']);
      expect(said).toContain('the flags of the running kube-proxy are not known from its pod');
      const odd = { args: ['--bind-address=$(HOST_IP)', '--v=2'] };
      add(nodeWithProxy('worker-1', { container: odd }));
      const later = await ask('plan', '--node=worker-1');
      expect(later.command).toEqual(['kube-proxy', 'plan', '--v=2']);
      expect(later.said).toContain('as the value of HOST_IP is not known: --bind-address\n');
    });

    it('every argument as it is', async () => {
      add(nodeWithProxy('worker-1'));
      const odd = ["it's", '$(touch /tmp/x)', '`id`', 'a  b', '', 'x\ny\n', '*', '"', '\\', ';&|'];
      const { command } = await ask(
        'plan',
        '--node',
        'worker-1',
        ...odd,
        '--',
        '--node=2',
        '--token',
      );
      expect(command).toEqual(run('plan', ...odd, '--node=2', '--token'));
    });

    it('its namespace, which for explain is that of the names', async () => {
      add(nodeWithProxy('worker-1'), pod('cart-x', { node: 'worker-1' }));
      expect((await ask('-n', 'shop', 'status')).command).toEqual(
        run('status', '--namespace=shop'),
      );
      const expected = run('explain', '10.244.1.7', 'svc/shop/catalog:http');
      for (const argv of [['-n', 'shop'], ['-nshop'], ['--namespace=shop']]) {
        const { command } = await ask('explain', 'pod/cart-x', 'svc/catalog:http', ...argv);
        expect(command).toEqual(expected);
      }
      const { command } = await ask('explain', 'node', 'svc/catalog:http');
      expect(command).toEqual(run('explain', 'node', 'svc/default/catalog:http'));
    });
  });

  describe('passes on', () => {
    it('the flags of kubectl, before and after the subcommand', async () => {
      add(nodeWithProxy('worker-1'));
      expect(await fail('--server=http://127.0.0.1:1', 'plan')).toContain('127.0.0.1:1');
      expect(await fail('plan', '--context', 'none')).toContain('context "none" does not exist');
      expect(await fail('plan', '--kubeconfig=/nonexistent')).toContain('/nonexistent');
      const { command } = await ask('--request-timeout', '30s', '-v=0', 'plan', '-v=3');
      expect(command).toEqual(run('plan', '-v=3'));
    });

    it.each([1, 2, 3, 7])('the exit status %d, and what is printed with it', async (status) => {
      add(nodeWithProxy('worker-1'));
      result = { status, stdout: 'No: refused\n', stderr: 'a line\nno end' };
      expect(await kubectl.run(['ipvs', 'plan', '--node=worker-1'])).toEqual({
        code: status,
        stdout: 'No: refused\n',
        stderr: 'a line\nno end\n',
      });
    });

    it('an answer byte by byte', async () => {
      add(nodeWithProxy('worker-1'));
      result = { stdout: `${'\u{1F600}\0 x\n'.repeat(20_000)}end` };
      await ask('dump', '--node', 'worker-1');
    });
  });

  describe('says what is wrong', () => {
    const two = [...nodeWithProxy('worker-1'), ...nodeWithProxy('worker-2')];
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    test.each<[string, KubeObject[], readonly string[], string]>([
      ['no such node', two, ['plan', '--node=none'], 'there is no node none'],
      [
        'no kube-proxy on the node',
        [...two, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'bare' } }],
        ['plan', '--node=bare'],
        'no kube-proxy pod is on node bare (namespace kube-system, labels k8s-app in (kube-proxy-ipvs,kube-proxy))',
      ],
      ['none at all', [], ['plan'], 'there is no kube-proxy pod (namespace kube-system,'],
      [
        'a pod that waits',
        nodeWithProxy('worker-1', { state }),
        ['plan', '--node=worker-1'],
        'the kube-proxy pod kube-system/kube-proxy-ipvs-worker-1 on node worker-1 does not run: CrashLoopBackOff',
      ],
      [
        'a pod that has not started',
        nodeWithProxy('worker-1', { phase: 'Pending' }),
        ['plan'],
        'does not run: Pending',
      ],
      ['several nodes', two, ['plan'], 'which node? Give --node: worker-1, worker-2\n'],
      ['several for an address', two, ['explain', '10.9.9.9', '10.0.0.1:80'], 'which node?'],
      ['no such pod', two, ['explain', 'pod/shop/none', 'node:1'], 'there is no pod shop/none'],
      [
        'a pod on no node',
        [...two, pod('late')],
        ['explain', 'pod/shop/late', 'node:1'],
        'pod shop/late is on no node yet',
      ],
      [
        'a pod without an address',
        [...two, pod('late', { node: 'worker-1', ips: [] })],
        ['explain', 'pod/shop/late', 'node:1'],
        'pod shop/late has no address yet',
      ],
      [
        'an odd name',
        two,
        ['explain', 'pod/a/b/c', 'node:1'],
        'pod/a/b/c is no pod/NAMESPACE/NAME',
      ],
      ['an odd node', two, ['plan', '--node=a,b'], '--node: a,b is no name of a node'],
      [
        'no such container',
        two,
        ['plan', '--node=worker-1', '--proxy-container=x'],
        'has no container x: it has kube-proxy',
      ],
      ['nothing to do', two, [], 'which subcommand? kubectl ipvs --help has examples'],
      ['a flag before the subcommand', two, ['-o', 'json', 'plan'], 'unknown flag -o'],
      ['a flag without a value', two, ['plan', '--node'], '--node needs a value'],
    ])('%s', async (_, objects, argv, expected) => {
      add(objects);
      const said = await fail(...argv);
      expect(said).toContain(
        `kubectl ipvs: ${expected.startsWith('does') || expected.startsWith('has') ? '' : expected}`,
      );
      expect(said).toContain(expected);
      expect(said.trimEnd().split('\n')).toHaveLength(1);
    });

    const upstream = {
      status: 1,
      stderr:
        'Error: "kube-proxy" does not take any arguments, got ["explain" "node" "10.0.0.1:80"]\n',
    };
    test.each([
      [
        "upstream's kube-proxy",
        'Usage:\n  kube-proxy [flags]\n',
        "the kube-proxy of pod kube-system/kube-proxy-worker-1 on node worker-1 is upstream's, which has no subcommand explain\n",
      ],
      [
        'a kube-proxy without the subcommand',
        '  kube-proxy explain --help\n',
        'the kube-proxy of pod kube-system/kube-proxy-worker-1 has no subcommand bogus\n',
      ],
    ])('%s', async (_, stdout, expected) => {
      add(nodeWithProxy('worker-1', { app: 'kube-proxy' }));
      help = { stdout };
      result = upstream;
      const subcommand = /subcommand (\w+)/.exec(expected)?.[1] ?? '';
      const argv = ['ipvs', subcommand, 'node', '10.0.0.1:80', '--node=worker-1'];
      const { code, stderr } = await kubectl.run(argv);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `${upstream.stderr}kubectl ipvs: ${expected}`,
      });
    });

    it('that exec is forbidden, in the words of the API server', async () => {
      add(nodeWithProxy('worker-1'));
      server.faults.inject({
        effect: { kind: 'status', code: 403 },
        match: { path: '/api/v1/namespaces/kube-system/pods/kube-proxy-ipvs-worker-1/exec' },
        times: 10,
      });
      expect(await fail('plan', '--node=worker-1')).toContain('injected by a test');
    });

    it('that pods may not be read: it is not as if there were none', async () => {
      server.faults.inject({
        effect: { kind: 'status', code: 403 },
        match: { verb: 'list', resource: 'pods' },
        times: 10,
      });
      const said = await fail('plan', '--node=worker-1');
      expect(said).toContain('injected by a test');
      expect(said).not.toContain('no kube-proxy');
    });
  });

  describe('the terminal', () => {
    /** Runs a command on a terminal of its own. */
    async function onTerminal(command: string, env: Readonly<Record<string, string>> = {}) {
      const everything = { ...kubectl.env, TERM: 'xterm', ...env };
      const args = ['-qec', command, '/dev/null'];
      return (await promisify(execFile)('script', args, { env: everything })).stdout;
    }

    it.skipIf(!isInstalled('script --version'))(
      'is that of the subcommand only if all three are one',
      async () => {
        add(nodeWithProxy('worker-1'));
        expect(await onTerminal('kubectl ipvs plan --node=worker-1')).toContain('answer');
        await onTerminal('kubectl ipvs plan --node=worker-1 > /dev/null');
        await onTerminal('kubectl ipvs plan --node=worker-1 2> /dev/null');
        await onTerminal('kubectl ipvs plan --node=worker-1 < /dev/null');
        await onTerminal('kubectl ipvs plan --node=worker-1', { TERM: 'dumb' });
        expect(calls.map(({ isTerminal }) => isTerminal)).toEqual([
          true,
          false,
          false,
          false,
          false,
        ]);
      },
    );

    it.skipIf(!isInstalled('script --version'))('has no colour if NO_COLOR says so', async () => {
      add(nodeWithProxy('worker-1'));
      await onTerminal('kubectl ipvs plan --node=worker-1', { NO_COLOR: '1' });
      expect(calls[0]?.command).toEqual(['env', 'NO_COLOR=1', ...run('plan')]);
    });
  });

  it.each(['dash', 'bash', 'busybox sh'].filter((shell) => isInstalled(`${shell} -c :`)))(
    'is the same in %s',
    async (shell) => {
      kubectl.install('kubectl-ipvs', plugin.replace('#!/bin/sh', `#!/usr/bin/env -S ${shell}`));
      add(
        nodeWithProxy('worker-1'),
        nodeWithProxy('worker-2'),
        pod('cart-x', { node: 'worker-1' }),
      );
      result = { status: 2, stdout: 'No\n', stderr: 'said\n' };
      const odd = ["it's", '$(id)', '\\n', 'x\ny\n'];
      const argv = ['ipvs', '-n', 'shop', 'explain', 'pod/cart-x', 'svc/catalog:http', ...odd];
      expect(await kubectl.run(argv)).toEqual({
        code: 2,
        stdout: 'No\n',
        stderr: expect.stringMatching(/^kubectl ipvs: asking node worker-1, .*\nsaid\n$/),
      });
      const expected = run('explain', '10.244.1.7', 'svc/shop/catalog:http', ...odd);
      expect(calls.map(({ command }) => command)).toEqual([expected]);
    },
  );

  it('prints its help without a cluster', async () => {
    await server.stop();
    const { code, stdout, stderr } = await kubectl.run(['ipvs', '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('kubectl ipvs explain pod/shop/cart-x svc/shop/catalog:http\n');
  });
});
