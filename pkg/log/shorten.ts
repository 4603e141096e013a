/**
 * A text of at most this many UTF-16 units, the last of them … where something was cut off. What is cut is a copy: a
 * part of a text keeps the whole of it in memory.
 */
export function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = isHighSurrogate(text.charCodeAt(limit - 2)) ? limit - 2 : limit - 1;
  return `${Buffer.from(text.slice(0, end), 'utf16le').toString('utf16le')}…`;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
