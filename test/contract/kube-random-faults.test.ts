import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Dice } from '../support/kube/dice.ts';
import { Follower } from '../support/kube/follower.ts';
import { misbehave, passTime } from '../support/kube/misbehave.ts';
import { node, service, slice } from '../support/kube/objects.ts';

const steps = 60;
/** Names are few, so that objects come, change and go, and those that change no more betray a lost event. */
const names = 12;
const given = process.env['KUBE_FAULTS_SEED'];
/** Odd ones in JSON, even ones in protobuf. */
const seeds = given === undefined ? [1, 2] : given.split(',').map(Number);

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'faults-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

test.each(seeds)(
  'after random faults the state is that of a run without faults (seed %d)',
  async (seed) => {
    const dice = new Dice(seed);
    await using server = await startApiServer({
      bookmarkInterval: 20,
      historyLimit: 50,
      protobuf: seed % 2 === 0,
    });
    const tokenFile = join(folder, `token-${seed}`);
    writeFileSync(tokenFile, server.credentials.any());
    const kubeconfig = server.kubeconfig({ tokenFile });
    await using follower = await Follower.start(kubeconfig, {
      hurry: 100,
      hurriesSilence: true,
      random: () => dice.random(),
    });
    for (let step = 0; step < steps; step++) {
      for (let count = dice.below(4); count > 0; count--) write(server, { dice, step });
      await misbehave(server, { dice, tokenFile });
      await passTime(dice.below(12));
    }
    server.faults.clear();
    await server.listen();
    server.apply(service('end'));

    await using untroubled = await Follower.start(kubeconfig, { hurry: 100 });
    await untroubled.untilSynced();
    const expected = JSON.stringify(untroubled.state);
    expect(expected).toContain('Service default/end');
    await follower.until(
      ({ state, synced }) => synced.size === 3 && JSON.stringify(state) === expected,
    );
    expect(follower.changes.filter(({ type }) => type === 'synced')).toHaveLength(3);
  },
);

function write(server: ApiServer, { dice, step }: { dice: Dice; step: number }): void {
  const name = `s${dice.below(names)}`;
  const labels: Record<string, string> =
    dice.below(8) === 0 ? { 'service.kubernetes.io/headless': '' } : {};
  const object = dice.pick([
    service(name, 1000 + step, labels),
    slice(name, { third: step, count: dice.below(5), labels }),
    node('n1', `zone-${step}`),
    node('n2', `zone-${step}`),
  ]);
  if (dice.below(3) > 0) server.apply(object);
  else if (server.get(object) !== undefined) server.delete(object);
}
