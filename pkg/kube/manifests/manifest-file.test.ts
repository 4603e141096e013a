import { describe, expect, test } from 'vitest';
import { parseManifests } from './manifest-file.ts';

const named = (text: string) =>
  parseManifests(text, 'x.yaml').manifests.map(
    ({ kind, name }) => `${kind} ${name.namespace}/${name.name}`,
  );

const service = (name: string) =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}, namespace: shop}}`;

describe('the objects of a file', () => {
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
    [
      'a dump of a node',
      `{"apiVersion":"ipvs.kube-proxy.io/v1","kind":"NodeDump","objects":[${JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'shop' } })}]}`,
      ['Service shop/a'],
    ],
    [
      'a dump of a node without a Service',
      '{"apiVersion":"ipvs.kube-proxy.io/v1","kind":"NodeDump","objects":[]}',
      [],
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

describe('objects that cannot be read', () => {
  const good = service('good');
  test.each([
    ['without a kind', 'a: b', 'x.yaml: document 2: an object without kind or apiVersion'],
    [
      'without an API version',
      'kind: Service',
      'x.yaml: document 2: an object without kind or apiVersion',
    ],
    [
      'without a name',
      '{apiVersion: v1, kind: Service}',
      'x.yaml: document 2: a Service without metadata.name',
    ],
    [
      'in a list',
      `{apiVersion: v1, kind: List, items: [7, ${service('a')}]}`,
      'x.yaml: document 2: items[0]: is no object',
    ],
    [
      'that should be a list',
      '{apiVersion: v1, kind: List, items: 7}',
      'x.yaml: document 2: items is no array',
    ],
  ])('%s are refused, and the others count', (_, bad, reason) => {
    const text = [good, bad, service('better')].join('\n---\n');
    expect(named(text)).toEqual(
      expect.arrayContaining(['Service shop/good', 'Service shop/better']),
    );
    expect(parseManifests(text, 'x.yaml').refused.map(({ message }) => message)).toEqual([reason]);
  });
});

describe('a file of which nothing can be read says where', () => {
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
    [
      'a dump whose objects could not be read',
      '{"apiVersion":"ipvs.kube-proxy.io/v1","kind":"NodeDump"}',
      'x.yaml: is a dump without objects, which could not be read',
    ],
    [
      'a dump of another version',
      '{"apiVersion":"ipvs.kube-proxy.io/v9","kind":"NodeDump","objects":[]}',
      'x.yaml: apiVersion: only ipvs.kube-proxy.io/v1 of a dump is read',
    ],
    [
      'a dump whose objects are none',
      '{"apiVersion":"ipvs.kube-proxy.io/v1","kind":"NodeDump","objects":7}',
      'x.yaml: objects is no array',
    ],
    [
      'a dump with nothing but something else',
      '{"apiVersion":"ipvs.kube-proxy.io/v1","kind":"NodeDump","objects":[7]}',
      'x.yaml: objects[0]: is no object',
    ],
    ['text', 'hello', 'x.yaml: document 1: is no object'],
    [
      'a YAML bomb',
      `a: &a [x, x, x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
      /^x\.yaml: Excessive alias count/,
    ],
    ['aliases beyond number', `a: &x 1\nb: [${'*x,'.repeat(101)}]`, /^x\.yaml:2:\d+: more than/],
    ['deep YAML', '['.repeat(1_000), /^x\.yaml:1:\d+: collections more than 128 deep/],
    [
      'a list that holds itself',
      '&l {apiVersion: v1, kind: List, items: [*l]}',
      /^x\.yaml: document 1: items\[0\].*: lists stand too deep in each other/,
    ],
    [
      'lists in lists without end',
      `${'{"apiVersion":"v1","kind":"List","items":['.repeat(50_000)}${']}'.repeat(50_000)}`,
      /^x\.yaml: document 1: items\[0\].*: lists stand too deep in each other/,
    ],
    [
      'text after objects, as of a file that was overwritten in part',
      `${service('a')}\n---\nhello`,
      'x.yaml: document 2: is no object',
    ],
    [
      'no name',
      '{apiVersion: v1, kind: Service}',
      'x.yaml: document 1: a Service without metadata.name',
    ],
  ])('%s', (_name, text, message) => {
    expect(() => parseManifests(text, 'x.yaml')).toThrow(message);
  });
});
