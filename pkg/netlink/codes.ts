import { constants } from 'node:os';
import type { ErrnoCode } from '../errno/errno.ts';

/** Numbers with two names, and those that only the kernel has (linux/errno.h). */
const names = new Map<number, ErrnoCode>([
  ...Object.entries(constants.errno).map(([name, number]): [number, ErrnoCode] => [
    number,
    name as ErrnoCode,
  ]),
  [11, 'EAGAIN'],
  [95, 'EOPNOTSUPP'],
  [512, 'ERESTARTSYS'],
  [517, 'EPROBE_DEFER'],
  [524, 'ENOTSUPP'],
]);

const numbers = new Map([...names].map(([number, name]) => [name, number]));

/** The name of an errno; `E4103` for one without a name. */
export function codeOf(errno: number): ErrnoCode {
  return names.get(errno) ?? `E${errno}`;
}

/** The number of an errno's name. */
export function errnoNumber(code: ErrnoCode): number {
  const number = numbers.get(code);
  if (number === undefined) throw new RangeError(`no error number is called ${code}`);
  return number;
}
