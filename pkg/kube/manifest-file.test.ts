import { describe, expect, test } from 'vitest';
import { parseManifests } from './manifest-file.ts';

const named = (text: string) =>
  parseManifests(text, 'x.yaml').manifests.map(
    ({ kind, name }) => `${kind} ${name.namespace}/${name.name}`,
  );

describe('the objects of a file', () => {
  const service = (name: string) =>
    `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: shop}}`;

  test.each([
    ['one document', service('a'), ['Service shop/a']],
    [
      'several, some empty',
      `---\n${service('a')}\n---\n---\n# nothing\n---\n${service('b')}\n`,
      ['Service shop/a', 'Service shop/b'],
    ],
    [
      'a list',
      `{apiVersion: v1, kind: List, items: [${service('a')}, ${service('b')}]}`,
      ['Service shop/a', 'Service shop/b'],
    ],
    [
      'a list in a list',
      `{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [${service('a')}]}]}`,
      ['Service shop/a'],
    ],
    [
      'a typed list',
      '{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"n1"}}]}',
      ['Node /n1'],
    ],
    ['JSON', '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}', ['Service default/a']],
    [
      'two JSON documents',
      '{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}}\n---\n{"apiVersion":"v1","kind":"Node","metadata":{"name":"b"}}',
      ['Node /a', 'Node /b'],
    ],
    ['nothing', '', []],
  ])('%s', (_name, text, expected) => {
    expect(named(text)).toEqual(expected);
  });

  test.each(['service-proxy-name', 'headless'])('with the label %s are left out', (label) => {
    const metadata = `metadata: {name: a, labels: {service.kubernetes.io/${label}: ''}}`;
    expect(
      named(
        `{apiVersion: v1, kind: Service, ${metadata}}\n---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, ${metadata}}`,
      ),
    ).toEqual([]);
    expect(named(`{apiVersion: v1, kind: Node, ${metadata}}`)).toEqual(['Node /a']);
  });

  test('of other kinds are ignored and named once', () => {
    const pod = '{apiVersion: v1, kind: Pod, metadata: {name: p}}';
    const old = '{apiVersion: discovery.k8s.io/v1beta1, kind: EndpointSlice, metadata: {name: s}}';
    const { ignoredKinds, manifests } = parseManifests(
      [pod, old, pod, service('a')].join('\n---\n'),
      'x.yaml',
    );
    expect(ignoredKinds).toEqual(['v1 Pod', 'discovery.k8s.io/v1beta1 EndpointSlice']);
    expect(manifests).toHaveLength(1);
  });

  test('have what the API server would have filled in', () => {
    const text =
      '{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}, ports: [{port: 80}, {name: x, port: 81}, 7]}';
    expect(parseManifests(text, 'x.yaml').manifests[0]?.raw).toMatchObject({
      metadata: { namespace: 'default' },
      ports: [{ name: '', port: 80 }, { name: 'x', port: 81 }, 7],
    });
  });
});

describe('a file that cannot be read says where', () => {
  test.each([
    ['broken YAML', 'a: b\nc: [1,\nd: e\n', /^x\.yaml:[23]:\d+: /],
    ['broken YAML in a later document', `kind: A\napiVersion: v1\n---\n"\n`, /^x\.yaml:\d+:\d+: /],
    ['broken JSON', '{"a": 1,\n "b" 2}', /^x\.yaml:2:\d+: /],
    [
      'an object without a kind',
      'a: b',
      'x.yaml: document 1: an object without kind or apiVersion',
    ],
    [
      'a list of something else',
      '{apiVersion: v1, kind: List, items: [7]}',
      'x.yaml: document 1: items[0]: is no object',
    ],
    [
      'items that are none',
      '{apiVersion: v1, kind: List, items: 7}',
      'x.yaml: document 1: items is no array',
    ],
    ['text', 'hello', 'x.yaml: document 1: is no object'],
    [
      'no name',
      '{apiVersion: v1, kind: Service}',
      'x.yaml: document 1: a Service without metadata.name',
    ],
  ])('%s', (_name, text, message) => {
    expect(() => parseManifests(text, 'x.yaml')).toThrow(message);
  });
});
