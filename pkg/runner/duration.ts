/** How many nanoseconds a unit of Go's duration text has. */
const units: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n], // U+00B5, micro sign
  ['μs', 1_000n], // U+03BC, Greek letter mu
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** A Go duration is a signed 64-bit number of nanoseconds. */
const limit = 2n ** 63n - 1n;

/**
 * Parses a duration as Go writes it (`1h30m`, `1.5s`, `-2ms`, `0`) to milliseconds; `undefined` if it is invalid. A number without
 * a unit is invalid except 0.
 */
export function parseDuration(text: string): number | undefined {
  const [, sign, body = ''] = /^([+-]?)(.+)$/.exec(text) ?? [];
  if (body === '0') return 0;
  let total = 0n;
  let rest = body;
  while (rest !== '') {
    const part = /^(\d*)(?:\.(\d*))?([^\d.]+)/.exec(rest);
    const [whole = '', fraction = '', unit = ''] = part?.slice(1) ?? [];
    const size = units.get(unit);
    if (part === null || size === undefined || whole + fraction === '') return undefined;
    total += BigInt(whole) * size + (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
    if (total > limit) return undefined;
    rest = rest.slice(part[0].length);
  }
  if (body === '') return undefined;
  return (Number(total) / 1e6) * (sign === '-' && total > 0n ? -1 : 1);
}

/** A number of milliseconds as Go prints a duration: `1h30m0s`, `1.5s`, `250ms`, `0s`. */
export function printDuration(milliseconds: number): string {
  const nanoseconds = BigInt(Math.round(Math.abs(milliseconds) * 1e6));
  const sign = milliseconds < 0 && nanoseconds > 0n ? '-' : '';
  return sign + printMagnitude(nanoseconds);
}

function printMagnitude(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < 1_000_000n) return `${decimal(nanoseconds, 3)}µs`;
  if (nanoseconds < 1_000_000_000n) return `${decimal(nanoseconds, 6)}ms`;
  const minute = 60_000_000_000n;
  const hours = nanoseconds / (60n * minute);
  const minutes = (nanoseconds / minute) % 60n;
  const seconds = `${decimal(nanoseconds % minute, 9)}s`;
  if (hours > 0n) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0n ? `${minutes}m${seconds}` : seconds;
}

/** A number with its last `places` digits after the point, without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const scale = 10n ** BigInt(places);
  const fraction = (value % scale).toString().padStart(places, '0').replace(/0+$/, '');
  return fraction === '' ? `${value / scale}` : `${value / scale}.${fraction}`;
}
