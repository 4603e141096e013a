import { describe, expect, it } from 'vitest';
import { resourceOfKind } from './resources.ts';
import { service } from './samples.ts';
import { parseSelector } from './selectors.ts';
import { Store } from './store.ts';

const services = resourceOfKind('Service');
if (services === undefined) throw new Error('Services are served');
const store = new Store({ historyLimit: 10 });
store.put(
  services,
  service(
    'front',
    { clusterIP: 'None', type: 'ClusterIP' },
    { labels: { tier: 'front', app: 'shop' } },
  ),
);
store.put(
  services,
  service(
    'back',
    { clusterIP: '172.30.0.9', type: 'NodePort' },
    { labels: { tier: 'back', old: '' } },
  ),
);
store.put(services, service('bare', { type: 'ClusterIP' }, { namespace: 'other' }));

function selected(texts: { namespace?: string; labels?: string; fields?: string }): string {
  const selects = parseSelector(services!, { namespace: '', labels: '', fields: '', ...texts });
  return store
    .list('services')
    .filter(selects)
    .map(({ name }) => name)
    .join(' ');
}

describe('label selectors', () => {
  it.each([
    ['', 'back front bare'],
    ['tier=front', 'front'],
    ['tier==front', 'front'],
    ['tier!=front', 'back bare'],
    ['tier', 'back front'],
    ['!tier', 'bare'],
    ['old=', 'back'],
    ['tier in (front, back)', 'back front'],
    ['tier in (back)', 'back'],
    ['tier notin (front)', 'back bare'],
    ['tier in (front,back),app=shop', 'front'],
    ['!service.kubernetes.io/headless, tier', 'back front'],
    ['constructor', ''],
  ])('%s', (labels, names) => {
    expect(selected({ labels })).toBe(names);
  });

  it.each(['a b', 'tier in front', '=x', 'a===b'])('refuses %s', (labels) => {
    expect(() => selected({ labels })).toThrow('unable to parse requirement');
  });
});

describe('field selectors', () => {
  it.each([
    ['metadata.name=front', 'front'],
    ['metadata.name!=front,metadata.namespace=default', 'back'],
    ['spec.clusterIP!=None', 'back bare'],
    ['spec.clusterIP=', 'bare'],
    ['spec.type=NodePort', 'back'],
  ])('%s', (fields, names) => {
    expect(selected({ fields })).toBe(names);
  });

  it('refuses a field that the kind does not offer', () => {
    expect(() => selected({ fields: 'spec.sessionAffinity=None' })).toThrow(
      'field label not supported: spec.sessionAffinity',
    );
  });
});

it('a namespace selects its own', () => {
  expect(selected({ namespace: 'other' })).toBe('bare');
});
