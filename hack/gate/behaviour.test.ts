import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// docs/behaviour.md says of every field that is read of an API object what it does, and of none that is not.

const page = readFileSync('docs/behaviour.md', 'utf8');
const types = readFileSync('pkg/kube/types.ts', 'utf8');

/** The interfaces whose fields are read from API objects. */
const interfaces = [
  'Service',
  'ServicePortSpec',
  'EndpointSlice',
  'EndpointPort',
  'Endpoint',
  'Node',
];

/** `Service.created` for each field of an interface, those that it has from `ObjectName` included. */
function fieldsOf(name: string): readonly string[] {
  const [, parents = '', body = ''] =
    new RegExp(`export interface ${name}( extends \\w+)? \\{([^}]*)\\}`).exec(types) ?? [];
  const own = [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = '']) => field);
  const inherited = parents.includes('ObjectName') ? ['namespace', 'name'] : [];
  return [...inherited, ...own].map((field) => `${name}.${field}`);
}

const fields = interfaces.flatMap(fieldsOf);
/** What the second columns of its tables name. */
const named = [...page.matchAll(/^\|[^|]*\|([^|]*)\|/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([A-Z]\w+\.\w+)`/g)].map(([, field = '']) => field),
);

test('the fields are found', () => {
  expect(fields.length).toBeGreaterThan(35);
  expect(fields).toContain('Service.namespace');
  expect(fields).toContain('Endpoint.podUid');
});

test.each(fields)('%s has a row', (field) => {
  expect(named).toContain(field);
});

test('each row is about a field that is read', () => {
  expect(named.filter((field) => !fields.includes(field))).toEqual([]);
});

test('each reason for which something is not honoured has a row', () => {
  const source = readFileSync('pkg/proxy/desired/unhonoured.ts', 'utf8');
  const [, union = ''] = /export type UnhonouredReason =([^;]*);/.exec(source) ?? [];
  const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason);
  const section = page.slice(page.indexOf('## What is not honoured'));
  const rows = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, reason = '']) => reason);
  expect(reasons.length).toBeGreaterThan(5);
  expect(rows).toEqual(reasons);
});
