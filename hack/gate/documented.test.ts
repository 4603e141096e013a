import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Every export says in a comment what it promises. Where the name says it all, a comment would only turn it round: options need none,
// nor do constants of the kernel that follow one with a comment for all of them. A comment that says nothing is worse than none.

const declaration =
  /^export (?:async |abstract |declare )*(?:const|function|class|interface|type) ([\w$]+)/;
const kernelConstant = /^export const [A-Z][A-Z\d_]+\b/;
const empty =
  /^\/\*\* (?:What (?:an?|the) [^.,;]*\b(?:works with|needs to work|is made of)|See \{@link [\w.]+\})\.? \*\/$/;
/** Source that is there to break the gate's rules. */
const planted = 'hack/gate/faults.ts';

/** The exports of a text that lack a doc comment and need one, and comments that say nothing. */
function undocumented(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const before = lines[index - 1] ?? '';
    if (empty.test(line)) return [`${index + 1}: ${line}`];
    const name = declaration.exec(line)?.[1];
    const isDocumented = before.endsWith('*/') || name?.endsWith('Options') === true;
    const isOfGroup = kernelConstant.test(line) && kernelConstant.test(before);
    return name === undefined || isDocumented || isOfGroup ? [] : [`${index + 1}: ${name}`];
  });
}

test('every export has a doc comment that says something', () => {
  const files = globSync('{cmd,pkg,test,hack}/**/*.ts').filter(
    (file) => !file.endsWith('.test.ts') && file !== planted,
  );
  expect(files.length).toBeGreaterThan(250);
  const found = files.flatMap((file) =>
    undocumented(readFileSync(file, 'utf8')).map((what) => `${file}:${what}`),
  );
  expect(found).toEqual([]);
});

test.each([
  ['an export without', '/** One. */\nexport const one = 1;\nexport const two = 2;', ['3: two']],
  ['options without', 'export interface ThreeOptions {}', []],
  [
    'options with one that says nothing',
    '/** What a three works with. */\nexport interface ThreeOptions {}',
    ['1: /** What a three works with. */'],
  ],
  [
    'options with one that says something',
    '/** What a three works with, each part for good. */\nexport interface ThreeOptions {}',
    [],
  ],
  [
    'constants in a group',
    '/** Families. */\nexport const AF_INET = 2;\nexport const AF_INET6 = 10;',
    [],
  ],
  ['a constant apart', '/** A. */\nexport const A_B = 1;\n\nexport const C_D = 2;', ['4: C_D']],
  [
    'a reference and no more',
    '/** See {@link AF_INET}. */\nexport const AF_INET6 = 10;',
    ['1: /** See {@link AF_INET}. */'],
  ],
])('%s: what is found', (_name, text, found) => {
  expect(undocumented(text)).toEqual(found);
});
