/** How many texts are kept. A power of two. */
const slots = 1024;
/** The longest text that is kept, in bytes. Longer ones rarely come again. */
const longest = 40;
const firstBeyondAscii = 0x80;

/**
 * Decodes UTF-8, and returns the same string for a short text that came lately: names of nodes, namespaces, ports and protocols come
 * thousands of times in a list. Keeps one text for each slot, which its bytes choose.
 */
export class RecentTexts {
  readonly #texts = Array.from({ length: slots }, () => '');

  /** The text from `start` to `end`, in bytes. */
  decode(bytes: Buffer, start: number, end: number): string {
    const length = end - start;
    if (length < 1 || length > longest) return bytes.toString('utf8', start, end);
    const slot = slotOf(bytes, start, length);
    const known = this.#texts[slot] ?? '';
    if (known.length === length && isAt(bytes, start, known)) return known;
    const text = bytes.toString('utf8', start, end);
    this.#texts[slot] = text;
    return text;
  }
}

/** By the length and the last bytes, in which names with numbers differ. */
function slotOf(bytes: Buffer, start: number, length: number): number {
  let hash = length;
  for (let at = start + Math.max(0, length - 6); at < start + length; at++)
    hash = Math.imul(hash, 31) + (bytes[at] ?? 0);
  return hash & (slots - 1);
}

/** Whether a text of ASCII is there. Others are not compared: their characters are not their bytes. */
function isAt(bytes: Buffer, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const byte = bytes[start + index] ?? 0;
    if (byte !== text.charCodeAt(index) || byte >= firstBeyondAscii) return false;
  }
  return true;
}
