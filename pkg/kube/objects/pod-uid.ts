import type { PodIdentity } from '../types.ts';

/** How many characters a UUID has. */
const uuidLength = 36;
/** How many characters a packed uid has: one for each byte. */
const packed = 16;

/**
 * Packs a pod's uid, as there may be 250,000 of them and few are ever printed. A UUID takes one character for each of its bytes.
 * Different uids stay different, and UUIDs keep their order. An empty uid is the unknown pod.
 */
export function packUid(uid: string): PodIdentity {
  return packedText(uid) as PodIdentity; // this is what makes them
}

function packedText(uid: string): string {
  return packedUuid(uid) ?? (uid.length < packed ? uid : `=${uid}`);
}

/** The bytes of the UUID that is read now. */
const bytes = Array.from({ length: packed }, () => 0);

/** `undefined` for what is no UUID in lower case. */
function packedUuid(uid: string): string | undefined {
  if (uid.length !== uuidLength) return undefined;
  let at = 0;
  for (let index = 0; index < packed; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) {
      if (uid.charCodeAt(at) !== dash) return undefined;
      at++;
    }
    const high = hexDigit(uid.charCodeAt(at));
    const low = hexDigit(uid.charCodeAt(at + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[index] = high * 16 + low;
    at += 2;
  }
  return String.fromCharCode(...bytes);
}

const dash = 0x2d;

/** -1 for what is no digit. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/** The uid that was packed. */
export function unpackUid(text: PodIdentity): string {
  if (text.length < packed) return text;
  if (text.length > packed) return text.slice(1);
  const digits = Array.from(text, (_, at) =>
    text.charCodeAt(at).toString(16).padStart(2, '0'),
  ).join('');
  const ends = [8, 12, 16, 20, 32];
  return ends.map((end, index) => digits.slice(ends[index - 1] ?? 0, end)).join('-');
}
