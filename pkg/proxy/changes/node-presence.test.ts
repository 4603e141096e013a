import { describe, expect, test } from 'vitest';
import { node, service } from '../../../test/support/objects.ts';
import { Stand, setNode, setService } from '../../../test/support/proxier.ts';
import type { Change } from '../../kube/types.ts';
import { minutes } from '../../runner/clock.ts';

const gone: Change = { type: 'delete', kind: 'Node', name: { namespace: '', name: 'here' } };

/** What a proxier says about its Node while it is told this, one after the other. */
async function said(nodeName: string, stories: readonly (readonly Change[])[]): Promise<string[]> {
  const stand = new Stand({ nodeName });
  const [first = [], ...later] = stories;
  stand.report(setService(service()), ...first);
  await stand.sync();
  for (const changes of later) {
    stand.report(...changes);
    await stand.settle();
  }
  await stand.settle(minutes(5));
  await stand.stop();
  return stand.log.lines().filter((line) => line.includes('Node'));
}

const there = [setNode(node())];
const consequences =
  /endpoints count as local only where .* hints .* followed, and \/healthz answers 503/;

describe('a node name', () => {
  test('that the API knows is not spoken of', async () => {
    expect(await said('here', [there, there])).toEqual([]);
  });

  test('that the API does not know is said once, with what follows from it', async () => {
    const lines = await said('192.168.0.99', [[], [], [setService(service())]]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^warning no Node has our name .*{"node":"192.168.0.99"}$/);
    expect(lines[0]).toMatch(consequences);
  });

  test('that holds a variable is said to, once', async () => {
    const lines = await said('$(NODE_NAME)', [[]]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^warning the node name holds a variable that nothing has expanded/);
    expect(lines[0]).toMatch(consequences);
  });

  test('that the API knows later is said to be known then', async () => {
    const lines = await said('here', [[], there]);
    expect(lines.map((line) => line.slice(0, 28))).toEqual([
      'warning no Node has our name',
      'info there is a Node of our ',
    ]);
  });

  test('that comes and goes is not spoken of each time', async () => {
    const stories = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? there : [gone]));
    const lines = await said('here', stories);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^warning the Node of our name was deleted: endpoints (?!.*healthz)/);
  });
});
