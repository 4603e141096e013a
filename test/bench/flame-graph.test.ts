import { expect, test } from 'vitest';
import { flameGraph } from './flame-graph.ts';

function node(id: number, functionName: string, { url = '', children = [] as number[] } = {}) {
  const callFrame = { functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 };
  return { id, callFrame, children };
}

const profile = {
  nodes: [
    node(1, '(root)', { children: [2, 3, 4, 5, 7] }),
    node(2, 'plan', { url: 'file:///x/pkg/proxy/plan/plan.ts', children: [6] }),
    node(3, '(idle)'),
    node(4, 'rare', { url: 'file:///x/pkg/wire/a.ts' }),
    node(5, '<b>&"'),
    node(6, 'plan', { url: 'file:///x/pkg/proxy/plan/plan.ts' }),
    node(7, 'measuring'),
  ],
  startTime: 0,
  endTime: 0,
  samples: [2, 6, 3, 4, 5, 7],
  timeDeltas: [4_000, 2_000, 90_000, 1, 1_999, 5_000],
};

test('each function is as wide as its share, with what it calls below it', () => {
  const svg = flameGraph(profile, { title: 'A first sync', without: 'measuring' });
  const boxes = [...svg.matchAll(/<title>(.*?)<\/title><rect x="(.*?)" y="(.*?)" width="(.*?)"/g)];
  expect(boxes.map(([, ...cells]) => cells)).toEqual([
    ['plan, pkg/proxy/plan: 75.0 %', '0.0', '48', '899.5'],
    ['plan, pkg/proxy/plan: 25.0 %', '0.0', '65', '299.5'],
    ['&lt;b>&amp;&quot;: 25.0 %', '900.0', '48', '299.4'],
  ]);
  expect(svg).toContain('8 ms sampled');
});
