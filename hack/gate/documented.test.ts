import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Every export says in a comment what it promises. Options need none: a comment would only turn their name round.

const declaration =
  /^export (?:async |abstract |declare )*(?:const|function|class|interface|type) ([\w$]+)/;
/** Source that is there to break the gate's rules. */
const planted = 'hack/gate/faults.ts';

/** The exports of a text that no doc comment stands above. */
function undocumented(text: string): readonly string[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    const name = declaration.exec(line)?.[1];
    const isDocumented = lines[index - 1]?.endsWith('*/') === true;
    return name === undefined || isDocumented || name.endsWith('Options')
      ? []
      : [`${index + 1}: ${name}`];
  });
}

test('every export has a doc comment', () => {
  const files = globSync('{cmd,pkg,test,hack}/**/*.ts').filter(
    (file) => !file.endsWith('.test.ts') && file !== planted,
  );
  expect(files.length).toBeGreaterThan(250);
  const found = files.flatMap((file) =>
    undocumented(readFileSync(file, 'utf8')).map((what) => `${file}:${what}`),
  );
  expect(found).toEqual([]);
});

test('one without is found', () => {
  const text = [
    '/** One. */',
    'export const one = 1;',
    'export const two = 2;',
    'export interface ThreeOptions {}',
  ].join('\n');
  expect(undocumented(text)).toEqual(['3: two']);
});
