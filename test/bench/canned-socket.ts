/** A socket that takes everything and answers each dump with the same messages, which are copied from a kernel's. */

import { commands } from '../../pkg/ipset/commands.ts';
import { getLink, link } from '../../pkg/links/schema.ts';
import {
  MessageCursor,
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '../../pkg/netlink/message.ts';
import type { DatagramSocket } from '../../pkg/netlink/socket.ts';
import { encode } from '../../pkg/wire/codec.ts';
import { ip } from '../support/addresses.ts';
import { type CapturedMessage, capturedMessages } from '../support/fixture.ts';

const headerLength = 16;
const datagramLength = 32_768;

/** Makes one. `dump` are messages one behind the other; a question for a device is answered with one. */
export function cannedSocket(dump: Uint8Array): DatagramSocket {
  const buffer = new Uint8Array(65_536);
  const view = new DataView(buffer.buffer);
  const messages = new MessageCursor(buffer);
  const device = message(
    getLink.type,
    encode(link, {
      family: 0,
      type: 0,
      index: 7,
      flags: 0,
      change: 0,
      attributes: { name: 'kube-ipvs0' },
    }),
  );
  let sequence = 0;
  let at = 0;
  let end = 0;
  let isDump = false;
  let isLink = false;
  return {
    messages,
    sendLimit: 1 << 20,
    send(bytes, length) {
      const sent = new DataView(bytes.buffer, bytes.byteOffset);
      let last = 0;
      for (let next = 0; next < length; next += (sent.getUint32(next, true) + 3) & ~3) last = next;
      isDump = (sent.getUint16(last + 6, true) & NLM_F_DUMP) === NLM_F_DUMP;
      isLink = sent.getUint16(last + 4, true) === getLink.type;
      sequence = sent.getUint32(last + 8, true);
      at = 0;
      end = isLink || !isDump ? 0 : dump.length;
      return 0;
    },
    receive() {
      let length = 0;
      if (isLink) {
        buffer.set(device);
        length = device.length;
      }
      const first = at;
      const source = new DataView(dump.buffer, dump.byteOffset);
      while (at < end) {
        const size = source.getUint32(at, true);
        if (at + size - first > datagramLength) break;
        at += size;
      }
      if (at > first) {
        buffer.set(dump.subarray(first, at));
        length = at - first;
      }
      for (let next = 0; next < length; next += view.getUint32(next, true))
        view.setUint32(next + 8, sequence, true);
      if (at === first) {
        view.setUint32(length, isDump ? headerLength + 4 : 36, true);
        view.setUint16(length + 4, isDump ? NLMSG_DONE : NLMSG_ERROR, true);
        view.setUint16(length + 6, isDump ? NLM_F_MULTI : 0, true);
        view.setUint32(length + 8, sequence, true);
        view.setUint32(length + headerLength, 0, true);
        length += isDump ? headerLength + 4 : 36;
      }
      messages.reset(length);
      return 0;
    },
    close() {},
  };
}

/** Real servers as IPVS_CMD_GET_DEST answers. */
export function destDump(count: number): Uint8Array {
  const [one] = capturedMessages('ipvs').filter(
    ({ payload, isRequest, type }) => !isRequest && type > 16 && payload[0] === 5,
  );
  return repeat(one, count, (payload, index) => {
    payload.set([10, 0, index >> 8, index & 255], 12);
  });
}

/** Addresses of one device as RTM_GETADDR answers. */
export function addressDump(count: number): Uint8Array {
  const [one] = capturedMessages('links').filter(
    ({ payload, isRequest, type }) => !isRequest && type === 20 && payload[0] === 2,
  );
  return repeat(one, count, (payload, index) => {
    payload.set([7, 0, 0, 0], 4);
    payload.set([172, 30, index >> 8, index & 255], 12);
    payload.set([172, 30, index >> 8, index & 255], 20);
  });
}

/** Entries of one set as IPSET_CMD_LIST answers: a header, and hundreds of entries in one attribute. */
export function entryDump(count: number): Uint8Array {
  const { type, reply } = commands.list;
  const rows = Array.from({ length: count }, (_, index) => ({
    ip: ip(`172.30.${index >> 8}.${index & 255}`),
    port: 443,
    protocol: 6,
  }));
  const name = 'KUBE-CLUSTER-IP';
  const headed = { name, type: 'hash:ip,port', family: 2, header: { maxElements: 65_536 } };
  const half = count >> 1;
  const bodies = [
    { ...headed, list: { entries: rows.slice(0, half) } },
    { name, list: { entries: rows.slice(half) } },
  ];
  return Buffer.concat(bodies.map((body) => message(type, encode(reply, { family: 2, body }))));
}

/** A message of the kernel's, many times, each changed by its number. */
function repeat(
  one: CapturedMessage | undefined,
  count: number,
  change: (payload: Uint8Array, index: number) => void,
): Uint8Array {
  if (one === undefined) throw new Error('no such message among the captured ones');
  const { type, payload } = one;
  return Buffer.concat(
    Array.from({ length: count }, (_, index) => {
      const changed = payload.slice();
      change(changed, index);
      return message(type, changed);
    }),
  );
}

/** A part of a dump. */
function message(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((headerLength + payload.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_MULTI, true);
  bytes.set(payload, headerLength);
  return bytes;
}
