/**
 * A text of at most `limit` UTF-16 units, with … at the end if it was cut. A cut text is a copy, as a substring would keep the
 * whole text in memory.
 */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = isHighSurrogate(text.charCodeAt(limit - 2)) ? limit - 2 : limit - 1;
  return `${Buffer.from(text.slice(0, end), 'utf16le').toString('utf16le')}…`;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
