import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { Effect } from '@kube-proxy-ipvs/test-apiserver/faults';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Dice } from '../support/kube/dice.ts';
import { KernelFollower } from '../support/kube/kernel-follower.ts';
import { misbehave, passTime } from '../support/kube/misbehave.ts';
import { type ApiObject, node, service, slice } from '../support/kube/objects.ts';

// What the kernel holds while the API fails, and afterwards: the last state, and then, with no event lost, the present one.

/** How many times as fast as the machine's the proxy's clock runs. */
const hurry = 100;

let folder: string;
let tokenFile: string;
let server: ApiServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'outage-'));
  tokenFile = join(folder, 'token');
  server = await startApiServer({ bookmarkInterval: 20, historyLimit: 50 });
  writeFileSync(tokenFile, server.credentials.any());
});

afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function follow(random?: () => number): Promise<KernelFollower> {
  const kubeconfig = server.kubeconfig({ tokenFile });
  return KernelFollower.ofApi(kubeconfig, { hurry, ...(random === undefined ? {} : { random }) });
}

/** Ends when a follower's kernel is that of one that begins now and meets no fault. */
async function untilCaughtUp(follower: KernelFollower): Promise<void> {
  server.apply(pinned(service('end')));
  server.apply(slice('end'));
  await using untroubled = await follow();
  await untroubled.until(({ kernel }) => hasReached(kernel.ipvs.dump()));
  await untroubled.until(({ log }) => log.some((line) => line.includes('first sync done')));
  await expect.poll(() => follower.dump()).toBe(untroubled.dump());
}

/** Whether `end` is there, which was told last. */
function hasReached(servers: string): boolean {
  return servers.includes(`-t ${addressOf('end')}:80 -r 10.0.0.2:8080`);
}

/** A Service with an address of its own for good: one that goes and comes again is the same to the kernel. */
function pinned(object: ApiObject): ApiObject {
  const clusterIP = addressOf(object.metadata.name);
  return { ...object, spec: { ...(object['spec'] as object), clusterIP } };
}

function addressOf(name: string): string {
  return `172.30.1.${name === 'end' ? 250 : Number(name.slice(1)) + 1}`;
}

interface Outage {
  readonly name: string;
  begin(): unknown;
  end(): unknown;
}

function answering(effect: Effect): Omit<Outage, 'name'> {
  return {
    begin() {
      server.faults.inject({ effect });
      server.faults.breakWatches({ how: 'reset' });
    },
    end: () => server.faults.clear(),
  };
}

const outages: readonly Outage[] = [
  { name: 'that is stopped', begin: () => server.stop(), end: () => server.listen() },
  {
    name: 'that is stopped, and has forgotten what was when it comes back',
    begin: () => server.stop(),
    end() {
      server.compact();
      return server.listen();
    },
  },
  {
    name: 'whose connections break in mid-event',
    ...answering({ kind: 'cut', afterEvents: 0, how: 'mid-event' }),
  },
  { name: 'that says 410', ...answering({ kind: 'status', code: 410 }) },
  { name: 'that says 429', ...answering({ kind: 'status', code: 429, retryAfter: 1 }) },
  { name: 'that says 500', ...answering({ kind: 'status', code: 500 }) },
  { name: 'that says nothing', ...answering({ kind: 'hang' }) },
  ...['{"kind":"Status","apiVersion":"v1","code":503}\n', '{}\n', 'null\n'].map((body) => ({
    name: `in whose place something answers ${body.trim()} with 200`,
    ...answering({ kind: 'body', code: 200, contentType: 'application/json', body }),
  })),
  {
    name: 'that does not know the token any more, until there is a new one',
    begin() {
      server.credentials.expire(server.credentials.any());
      server.faults.breakWatches({ how: 'end' });
    },
    end: () => writeFileSync(tokenFile, server.credentials.add('proxy')),
  },
];

describe('an API server', () => {
  test.each(outages)('$name: the kernel stays, then catches up', async ({ begin, end }) => {
    for (const name of ['s0', 's1', 's2']) {
      server.create(pinned(service(name)));
      server.create(slice(name, { third: 1 }));
    }
    await using follower = await follow();
    await follower.until(({ log }) => log.some((line) => line.includes('first sync done')));
    const before = follower.dump();
    expect(before).toContain(`-t ${addressOf('s2')}:80 -r 10.0.1.2:8080`);

    await begin();
    server.delete(service('s0'));
    server.delete(slice('s1'));
    server.update(slice('s2', { third: 3, count: 4 }));
    server.create(pinned(service('s3')));
    await follower.pass(60_000);
    expect(follower.dump()).toBe(before);

    await end();
    await untilCaughtUp(follower);
    expect(follower.dump()).toContain(`-t ${addressOf('s2')}:80 -r 10.0.3.4:8080`);
    expect(follower.dump()).not.toContain(addressOf('s0'));
  });
});

const given = process.env['KUBE_FAULTS_SEED'];
const seeds = given === undefined ? [1, 2, 3, 4] : given.split(',').map(Number);
const steps = 50;
const names = 8;

test.each(seeds)(
  'after random faults the kernel is that of a run without faults (seed %d)',
  async (seed) => {
    const dice = new Dice(seed);
    await using follower = await follow(() => dice.random());
    for (let step = 0; step < steps; step++) {
      for (let count = dice.below(4); count > 0; count--) write({ dice, step });
      await misbehave(server, { dice, tokenFile });
      await passTime(dice.below(12));
    }
    server.faults.clear();
    await server.listen();
    await untilCaughtUp(follower);
  },
);

function write({ dice, step }: { dice: Dice; step: number }): void {
  const name = `s${dice.below(names)}`;
  const foreign = dice.below(8) === 0 ? { 'service.kubernetes.io/headless': '' } : {};
  const object = dice.pick([
    pinned(service(name, 80 + dice.below(3), foreign)),
    slice(name, { third: step, count: dice.below(5), labels: foreign }),
    slice(name, { third: 0, count: 1 + dice.below(5) }),
    node('here', `zone-${step}`),
  ]);
  if (dice.below(3) > 0) server.apply(object);
  else if (server.get(object) !== undefined) server.delete(object);
}
