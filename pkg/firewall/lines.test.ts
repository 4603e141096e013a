import { expect, test } from 'vitest';
import { stretches } from '../../test/support/stretches.ts';
import { takeLines } from './lines.ts';
import { parseSaved, parseSavedAtOnce } from './saved.ts';

test.each([
  ['a\nb\nc\n', ['a', 'b', 'c']],
  ['a\n\nc', ['a', '', 'c']],
  ['', []],
])('the lines of %j', async (text, lines) => {
  const taken: string[] = [];
  const take = (line: string) => void taken.push(line);
  await takeLines(text, take, { pieceLines: 2, pause: () => undefined });
  expect(taken).toEqual(lines);
});

test('a pause follows each piece, and is waited for', async () => {
  const order: string[] = [];
  const pause = async () => {
    await Promise.resolve();
    order.push('pause');
  };
  await takeLines('a\nb\nc\nd\ne\n', (line) => void order.push(line), { pieceLines: 2, pause });
  expect(order).toEqual(['a', 'b', 'pause', 'c', 'd', 'pause', 'e']);
});

test('many rules are read in pieces, as they would be at once', async () => {
  const rules = Array.from({ length: 20_000 }, (_, index) => `-A KUBE-SEP-${index % 7} -j ACCEPT`);
  const text = ['*nat', ':KUBE-SEP-0 - [0:0]', ...rules, 'COMMIT', ''].join('\n');
  const { turns } = await stretches(
    () => 0,
    async () => expect(await parseSaved(text)).toEqual(parseSavedAtOnce(text)),
  );
  expect(turns).toBeGreaterThanOrEqual(10);
});
