import { describe, expect, it } from 'vitest';
import { mergePatch, parseBody } from './patch.ts';
import { strategicMerge } from './strategic-merge.ts';

describe('mergePatch', () => {
  it.each([
    ['sets', { a: 1 }, { b: 2 }, { a: 1, b: 2 }],
    ['removes with null', { a: 1, b: 2 }, { a: null }, { b: 2 }],
    ['goes down', { a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    ['replaces lists', { a: [1, 2] }, { a: [3] }, { a: [3] }],
    ['replaces what is no object', { a: 'x' }, { a: { b: 1, c: null } }, { a: { b: 1 } }],
  ])('%s', (...[, target, patch, result]) => {
    expect(mergePatch(target, patch)).toEqual(result);
  });
});

describe('strategicMerge', () => {
  const ports = [
    { port: 80, name: 'http' },
    { port: 443, name: 'https' },
  ];
  it.each([
    [
      'merges ports by number',
      { ports: [{ port: 80, nodePort: 30001 }] },
      [{ port: 80, name: 'http', nodePort: 30001 }, ports[1]],
    ],
    ['adds a port', { ports: [{ port: 53, name: 'dns' }] }, [...ports, { port: 53, name: 'dns' }]],
    ['deletes a port', { ports: [{ port: 80, $patch: 'delete' }] }, [ports[1]]],
    ['replaces all ports', { ports: [{ port: 1 }, { $patch: 'replace' }] }, [{ port: 1 }]],
    [
      'orders ports',
      { '$setElementOrder/ports': [{ port: 443 }, { port: 80 }], ports: [] },
      [ports[1], ports[0]],
    ],
  ])('%s', (_, spec, result) => {
    expect(strategicMerge('Service', { target: { spec: { ports } }, patch: { spec } })).toEqual({
      spec: { ports: result },
    });
  });

  it('merges maps, removes with null, and replaces lists without a key', () => {
    const target = { metadata: { labels: { a: '1', b: '2' } }, endpoints: [1, 2] };
    const patch = { metadata: { labels: { a: null, c: '3' } }, endpoints: [3] };
    expect(strategicMerge('EndpointSlice', { target, patch })).toEqual({
      metadata: { labels: { b: '2', c: '3' } },
      endpoints: [3],
    });
  });

  it('joins sets of plain values and deletes from them', () => {
    const target = { metadata: { finalizers: ['a', 'b'] } };
    const patch = {
      metadata: { finalizers: ['c', 'a'], '$deleteFromPrimitiveList/finalizers': ['b'] },
    };
    expect(strategicMerge('Service', { target, patch })).toEqual({
      metadata: { finalizers: ['a', 'c'] },
    });
  });

  it('keeps no field that $retainKeys does not name, and no directive', () => {
    const patch = { spec: { $retainKeys: ['b'], b: { c: 1 } } };
    expect(strategicMerge('Node', { target: { spec: { a: 1, b: {} } }, patch })).toEqual({
      spec: { b: { c: 1 } },
    });
    expect(
      strategicMerge('Node', {
        target: { spec: { a: 1 } },
        patch: { spec: { $patch: 'replace', b: 1 } },
      }),
    ).toEqual({ spec: { b: 1 } });
  });
});

describe('parseBody', () => {
  it('reads JSON and YAML', () => {
    expect(parseBody(' {"a": 1}')).toEqual({ a: 1 });
    expect(parseBody('a: 1\n')).toEqual({ a: 1 });
  });

  it('refuses what is neither', () => {
    expect(() => parseBody('{"a": ')).toThrow('error decoding');
  });
});
