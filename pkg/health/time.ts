/** Go's text for the zero time. */
export const never = '0001-01-01T00:00:00Z';

/** How many minutes the machine's time zone is ahead of UTC at a time. */
function machineOffset(milliseconds: number): number {
  return -new Date(milliseconds).getTimezoneOffset();
}

/** A time in milliseconds since 1970 as Go prints it in JSON: RFC 3339 with an offset of some minutes. */
export function printTime(milliseconds: number, offset = machineOffset(milliseconds)): string {
  const local = new Date(milliseconds + offset * 60_000).toISOString();
  return trimFraction(local.slice(0, -1)) + printOffset(offset);
}

function trimFraction(text: string): string {
  return text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
}

function printOffset(minutes: number): string {
  if (minutes === 0) return 'Z';
  const size = Math.abs(minutes);
  const digits = (value: number) => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${digits(Math.floor(size / 60))}:${digits(size % 60)}`;
}
