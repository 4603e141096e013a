import { isLoopback, parseAddress } from '../ip/address.ts';
import { isSingle, parsePrefix } from '../ip/prefix.ts';
import type { Problem } from './field.ts';
import { parseListenAddress } from './listen-address.ts';

// Checks of values beyond their type. The messages are upstream's.

/** Makes a check with one message. */
export function must<Value>(message: string, isRight: (value: Value) => boolean) {
  return (value: Value): readonly Problem[] => (isRight(value) ? [] : [{ message }]);
}

/** A number within bounds, inclusive. */
export function between(least: number, most: number) {
  return must<number>(
    `must be within the range [${least}, ${most}]`,
    (value) => value >= least && value <= most,
  );
}

/** A number or duration that is not negative. */
export const notNegative = must<number>(
  'must be greater than or equal to 0',
  (value) => value >= 0,
);

/** A number or duration above 0. */
export const positive = must<number>('must be greater than 0', (value) => value > 0);

/** One of some words, or empty. */
export function oneOf(words: readonly string[]) {
  return must<string>(
    `must be one of ${words.join(', ')} or blank`,
    (value) => value === '' || words.includes(value),
  );
}

/** An address. */
export const address = must<string>(
  'not a valid textual representation of an IP address',
  (value) => parseAddress(value) !== undefined,
);

/** An address to listen on. Without a port, the default port counts. */
export function listenAddress({ port, mayBeEmpty }: { port: number; mayBeEmpty: boolean }) {
  return (value: string): readonly Problem[] => {
    if (value === '' && mayBeEmpty) return [];
    const result = parseListenAddress(value, port);
    return 'problem' in result ? [{ message: result.problem }] : [];
  };
}

/** A list whose items are all valid. */
export function each(message: string, isRight: (value: string) => boolean) {
  return (values: readonly string[]): readonly Problem[] =>
    values.flatMap((value, index) => (isRight(value) ? [] : [{ message, item: { index, value } }]));
}

/** A network in CIDR notation. */
export function isPrefix(value: string): boolean {
  return parsePrefix(value) !== undefined;
}

/** `a-b`, `a+n`, one port, or empty. */
export const portRange = must<string>('must be a valid port range (e.g. 300-2000)', (value) => {
  if (value.trim() === '') return true;
  const [, first = '', sign, second = '0'] = /^(\d+)(?:([-+])(\d+))?$/.exec(value.trim()) ?? [];
  const from = Number(first);
  const to = sign === '-' ? Number(second) : from + Number(second);
  return first !== '' && from <= to && to <= 65_535;
});

/** A network whose addresses may all be VIPs. A shorter prefix than 8 bits would make too much of the world local. */
export function isVipRange(value: string): boolean {
  const network = parsePrefix(value);
  if (network === undefined || network.length < 8) return false;
  const hasHostBits = parseAddress(value.slice(0, value.indexOf('/'))) !== network.address;
  return !hasHostBits && !isSingle(network) && !isLoopback(network.address);
}
