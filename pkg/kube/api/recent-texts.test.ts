import { expect, test } from 'vitest';
import { RecentTexts } from './recent-texts.ts';

function decoded(texts: RecentTexts, text: string): string {
  const bytes = Buffer.from(`<${text}>`);
  return texts.decode(bytes, 1, bytes.length - 1);
}

test('texts are what their bytes say, whatever came before', () => {
  const texts = new RecentTexts();
  const names = Array.from({ length: 5_000 }, (_, index) => `node-${index % 3_000}`);
  for (const name of [...names, '', 'x', 'é', 'Ã©', 'é', '€', 'x'.repeat(41)])
    expect(decoded(texts, name)).toBe(name);
});

test('text of more than ASCII is not taken for another whose characters are its bytes', () => {
  const texts = new RecentTexts();
  // Of so many pairs some have one slot.
  for (let index = 0; index < 20_000; index++) {
    expect(decoded(texts, `${index}Ã©`)).toBe(`${index}Ã©`);
    const bytes = Buffer.from(`${index}Ã©`, 'latin1');
    expect(texts.decode(bytes, 0, bytes.length)).toBe(`${index}é`);
  }
});

test('bytes that are no UTF-8 become the sign for that', () => {
  const texts = new RecentTexts();
  const broken = Buffer.from([0x61, 0xff]);
  for (const _ of [1, 2]) expect(texts.decode(broken, 0, 2)).toBe('a\ufffd');
});
