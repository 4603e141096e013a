import type { PodIdentity } from '../types.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
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
  if (!uuid.test(uid)) return uid.length < packed ? uid : `=${uid}`;
  const bytes: number[] = [];
  for (let at = 0; at < uid.length; at += 2) {
    if (uid.charCodeAt(at) === dash) at++;
    bytes.push(hexDigit(uid.charCodeAt(at)) * 16 + hexDigit(uid.charCodeAt(at + 1)));
  }
  return String.fromCharCode(...bytes);
}

const dash = 0x2d;

function hexDigit(code: number): number {
  return code < 0x60 ? code - 0x30 : code - 0x57;
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
