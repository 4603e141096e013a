import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// Every limit that the documentation names stands in the code as it says.

const row = /^\| (.+) \| (.+) \| `([\w/.-]+)`: `(.+)` \|$/gm;

const rows = [...readFileSync('docs/security.md', 'utf8').matchAll(row)].map(
  ([, what = '', , file = '', text = '']) => ({ what, file, text }),
);

test('the documentation names limits', () => {
  expect(rows.length).toBeGreaterThan(40);
});

test.each(rows)('$what', ({ file, text }) => {
  expect(readFileSync(file, 'utf8')).toContain(text);
});
