import { describe, expect, test } from 'vitest';
import { printYaml, YamlError, yamlDocuments } from './yaml.ts';

/** Anchors each of which holds the one before nine times. */
function laughs(levels: number): string {
  const level = (name: string, item: string) =>
    `${name}: &${name} [${Array(9).fill(item).join(', ')}]`;
  const lines = Array.from({ length: levels }, (_, index) => level(`a${index + 1}`, `*a${index}`));
  return [level('a0', 'x'), ...lines].join('\n');
}

function failure(text: string): YamlError {
  try {
    for (const _ of yamlDocuments(text));
  } catch (error) {
    if (error instanceof YamlError) return error;
    throw error;
  }
  throw new Error('it was read');
}

test('documents come one after the other', () => {
  expect([...yamlDocuments('a: 1\n---\n- b\n---\n')]).toEqual([{ a: 1 }, ['b'], null]);
});

test('a few anchors are what they stand for', () => {
  const text = 'a: &x {b: [1]}\nc: *x\nd: "*x"\ne: |\n  &x\n  *x\n';
  expect([...yamlDocuments(text)]).toEqual([
    { a: { b: [1] }, c: { b: [1] }, d: '*x', e: '&x\n*x\n' },
  ]);
});

test('text that begins like an alias is none', () => {
  const items = '- "*x"\n- |\n  *x\n'.repeat(200);
  expect([...yamlDocuments(items)][0]).toHaveLength(400);
});

describe('refused is', () => {
  test.each([
    ['a billion laughs', laughs(9), /^Excessive alias count/],
    ['a thousand laughs', laughs(3), /^Excessive alias count/],
    ['alias after alias', `a: &x 1\nb: [${'*x, '.repeat(9_000)}]`, /^more than 100 anchors/],
    ['anchor after anchor', '- &x 1\n'.repeat(101), /^more than 100 anchors/],
    ['a deep flow sequence', '['.repeat(20_000), /^collections more than 128 deep/],
    ['a deep flow mapping', '{a: '.repeat(20_000), /^collections more than 128 deep/],
    ['a deep block sequence', '- '.repeat(20_000), /^collections more than 128 deep/],
    ['a deep block of keys', '? '.repeat(20_000), /^collections more than 128 deep/],
    ['an alias of nothing', 'a: *x', /^Unresolved alias/],
    ['a text without end', `a: ${'x'.repeat(33 * 1024 * 1024)}`, /^more than 33554432 characters/],
  ])('%s', (_name, text, message) => {
    expect(failure(text).message).toMatch(message);
  });
});

test('a key that stands twice is found, and where, among any number of keys', () => {
  const keys = Array.from({ length: 5_000 }, (_, index) => `k${index}: 1`);
  expect([...yamlDocuments(keys.join('\n'))]).toHaveLength(1);
  const { code, position } = failure([...keys, 'k7: 2'].join('\n'));
  expect([code, position]).toEqual(['DUPLICATE_KEY', { line: 5_001, column: 1 }]);
});

test('a key that stands twice is reported with its path where that is no error, and the last one counts', () => {
  const reported: string[] = [];
  const text = 'a: 1\nb:\n  c: {d: 1, d: 2}\na: 3\n';
  const documents = [...yamlDocuments(text, { onDuplicate: (path) => reported.push(path) })];
  expect(documents).toEqual([{ a: 3, b: { c: { d: 2 } } }]);
  expect(reported).toEqual(['a', 'b.c.d']);
});

test('what is printed is read back', () => {
  const value = { a: null, b: { c: ['1', true, 'yes', '::'], d: 30 }, e: '30s', f: {}, g: '' };
  expect([...yamlDocuments(printYaml(value))]).toEqual([value]);
  expect(printYaml({ a: 'yes', b: 'lc' })).toBe('a: "yes"\nb: lc\n');
});

test('broken YAML is said to be broken, and where', () => {
  const { code, position } = failure('a: 1\nb: [1,\nc');
  expect([code, position?.line]).toEqual(['BAD_INDENT', 3]);
});
