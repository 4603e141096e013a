import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fields } from '../../pkg/config/fields.ts';
import { reference } from '../configuration/reference.ts';

test('docs/configuration.md is what hack/configuration.ts writes', () => {
  expect(readFileSync('docs/configuration.md', 'utf8')).toBe(reference());
});

test('it has a line for every option', () => {
  const lines = reference().split('\n');
  for (const { path, flag } of fields) {
    const names = flag === undefined ? `\`${path}\`` : `\`--${flag}\``;
    expect(
      lines.filter((line) => line.includes(`| ${names}`)),
      path,
    ).toHaveLength(1);
  }
});
