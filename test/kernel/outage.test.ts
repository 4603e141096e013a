import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { service, slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import { readState } from '../support/kernel-state.ts';
import { ask } from '../support/network/client.ts';
import { type Host, Network } from '../support/network/network.ts';
import { type Server, serve } from '../support/network/server.ts';
import { Program } from '../support/program.ts';

// The program and an API server at the node's own 127.0.0.1 that fails for a while, with requests to a Service all the time. Ways to fail that
// only the client of the API tells apart are in test/e2e/outage.test.ts.

const web = { protocol: 'TCP', address: ip('172.30.0.10'), port: 80 } as const;

let network: Network;
let caller: Host;
let first: Host;
let second: Host;
let folder: string;
let api: ApiServer;
let servers: readonly Server[];
let program: Program;

beforeEach(async () => {
  network = new Network();
  network.addClient('client', [ip('203.0.113.7')]);
  caller = network.addPod('caller', [ip('10.0.1.2')]);
  first = network.addPod('first', [ip('10.0.1.1')]);
  second = network.addPod('second', [ip('10.0.1.3')]);
  servers = [first, second].flatMap((host) =>
    host.addresses.map((address) => serve(host, { address, protocol: 'TCP', port: 8080 })),
  );
  api = new ApiServer({});
  api.create(service('web', { clusterIP: web.address }));
  api.create(sliceOf(first));
  api.create(service('old', { clusterIP: '172.30.0.11' }));
  await listen();
  folder = mkdtempSync(join(tmpdir(), 'outage-'));
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, api.kubeconfig());
  program = await Program.start(network.node.namespace, { flags: [`--kubeconfig=${kubeconfig}`] });
  await program.said('first sync done');
});

afterEach(async () => {
  await program.end('SIGKILL');
  await api.close();
  for (const server of servers) server.close();
  network.close();
  rmSync(folder, { recursive: true });
});

async function listen(): Promise<void> {
  const leave = network.node.namespace.enter();
  try {
    await api.listen();
  } finally {
    leave();
  }
}

function sliceOf({ addresses }: Host): KubeObject {
  return slice('web', addresses);
}

/** Requests one after the other until it is told to stop. */
class Asking {
  /** Who answered, and how often. */
  readonly answers: Record<string, number> = {};
  readonly #running: Promise<void>;
  #count = 0;
  #isOver = false;

  constructor() {
    this.#running = this.#ask();
  }

  /** So many more requests have been answered. */
  async next(count: number): Promise<void> {
    const goal = this.#count + count;
    await program.until(() => this.#count >= goal);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const answer = await ask(caller, web);
      const who = answer.kind === 'answer' ? answer.server : answer.kind;
      this.answers[who] = (this.answers[who] ?? 0) + 1;
      this.#count++;
    }
  }
}

interface Outage {
  readonly name: string;
  /** It fails: now, or as soon as there is something to tell. */
  begin(): unknown;
  /** How the program takes note of it, and what it says of the return if that is not what it expected. */
  readonly says: string;
  readonly saysThen?: string;
  end(): unknown;
}

const outages: readonly Outage[] = [
  {
    name: 'is stopped for a while and has forgotten what was (410)',
    begin: () => api.stop(),
    says: 'connect ECONNREFUSED',
    saysThen: '410 Expired',
    end() {
      api.compact();
      return listen();
    },
  },
  {
    name: 'cuts every connection in mid-event',
    begin() {
      const effect = { kind: 'cut', afterEvents: 0, how: 'mid-event' } as const;
      api.faults.inject({ effect, match: { verb: 'watch' } });
      api.faults.breakWatches({ how: 'mid-event', at: 'next event' });
    },
    says: 'the connection was cut',
    end: () => api.faults.clear(),
  },
];

/** Whether it has complained in such words of each of the kinds that change here. */
function hasSaidOfAll(words: string): boolean {
  const complaints = program.output.split('\n').filter((line) => line.includes(words));
  return ['Service', 'EndpointSlice'].every((kind) =>
    complaints.some((line) => line.includes(`cannot follow every ${kind},`)),
  );
}

test.each(outages)(
  'an API server that $name: the kernel stays, then catches up',
  async (outage) => {
    const state = () => readState(network.node.namespace);
    const before = state();
    expect(before).toContain('-a -t 172.30.0.10:80 -r 10.0.1.1:8080');
    const asking = new Asking();

    await outage.begin();
    api.delete(service('old'));
    api.update(sliceOf(second));
    api.create(service('new', { clusterIP: '172.30.0.12' }));
    await program.until(() => hasSaidOfAll(outage.says));
    await asking.next(50);
    expect(state()).toBe(before);
    expect(Object.keys(asking.answers)).toEqual(['first']);

    await outage.end();
    await program.until(() => hasSaidOfAll(outage.saysThen ?? outage.says));
    await program.said('following every Service again');
    await program.said('following every EndpointSlice again');
    const servers = () => network.node.namespace.run('ipvsadm', '-Sn');
    // A Service on its way out stands for some seconds.
    await expect.poll(servers, { interval: 500 }).not.toMatch(/172[.]30[.]0[.]11:|10[.]0[.]1[.]1:/);
    expect(servers()).toContain('-A -t 172.30.0.12:80 ');
    expect(servers()).toContain('-a -t 172.30.0.10:80 -r 10.0.1.3:8080 ');
    await asking.next(5);
    await asking.stop();
    expect(Object.keys(asking.answers).sort()).toEqual(['first', 'second']);
  },
);
