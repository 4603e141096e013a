import { expect, test } from 'vitest';
import { StatusLine } from './status-line.ts';

test('is written over, and gives way to what else is written', () => {
  let text = '';
  const line = new StatusLine((bytes) => {
    text += Buffer.from(bytes).toString();
    return bytes.length;
  });
  line.hide();
  line.show('one');
  line.show('two');
  line.show('two');
  expect(line.write(Buffer.from('a line of the log\n'))).toBe(18);
  line.hide();
  expect(text).toBe('\r\u001b[Kone\r\u001b[Ktwo\r\u001b[Ka line of the log\n');
});

test('a terminal that is gone or slow holds nobody up, and lines of the log tell of it as ever', () => {
  const gone = new StatusLine(() => {
    throw new Error('EIO');
  });
  gone.show('one');
  gone.hide();
  expect(() => gone.write(Buffer.from('a line'))).toThrow('EIO');
  const slow = new StatusLine(() => 0);
  slow.show('one');
  expect(slow.write(Buffer.from('a line'))).toBe(0);
});
