import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Several things are not put on one line to save lines: neither properties, by spreading a literal, nor declarations, by taking a
// literal array apart. The formatter gives each a line of its own, and a limit that this exceeds asks for another cut.

const literals: Readonly<Record<string, RegExp>> = {
  'a literal is spread into another one': /^ *\.\.\.\{(?! *\})/,
  'a literal is taken apart':
    /^ *(?:export )?(?:const|let) \[[^\]]*,[^\]]*\] = \[.*,.*\](?: as const)?;$/,
};

const own = 'hack/gate/literals.test.ts';

function oddLiterals(text: string): readonly string[] {
  return text.split('\n').flatMap((line, index) =>
    Object.entries(literals)
      .filter(([, pattern]) => pattern.test(line))
      .map(([what]) => `${index + 1}: ${what}`),
  );
}

test('each property and each declaration has a line of its own', () => {
  const files = globSync('{cmd,hack,pkg,test}/**/*.ts').filter((file) => file !== own);
  expect(files.length).toBeGreaterThan(700);
  const found = files.flatMap((file) =>
    oddLiterals(readFileSync(file, 'utf8')).map((what) => `${file}:${what}`),
  );
  expect(found).toEqual([]);
});

test.each([
  ['  ...{ address, port },', 'spread into'],
  ['    ...{', 'spread into'],
  ['  const [one, two] = [1, list[0]];', 'taken apart'],
  ['let [isOpen, count] = [true, 0];', 'taken apart'],
])('found: %s', (line, what) => {
  expect(oddLiterals(line)).toEqual([expect.stringContaining(what)]);
});

test.each([
  '  ...(error === undefined ? {} : { error }),',
  '  const [first, second] = pair;',
  '  const [client, peer] = [2379, 2380].map((port) => `http://127.0.0.1:${port}`);',
  '  [one, other] = [other, one];',
  "  ...['-m', 'set'],",
])('left alone: %s', (line) => {
  expect(oddLiterals(line)).toEqual([]);
});
