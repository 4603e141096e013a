import { readFileSync } from 'node:fs';

// Prints the netlink messages of a capture that tcpdump made on an nlmon device: node hack/capture.ts FAMILY FILE

const [family = '', file = ''] = process.argv.slice(2);
const bytes = readFileSync(file);

const fileHeader = 24;
const recordHeader = 16;
/** A cooked header: packet type and, in its last two bytes, the netlink protocol, in network order. */
const cookedHeader = 16;
const toKernel = 7; // PACKET_KERNEL of linux/if_packet.h

for (let at = fileHeader; at < bytes.length; ) {
  const length = bytes.readUInt32LE(at + 8);
  const packet = bytes.subarray(at + recordHeader, at + recordHeader + length);
  at += recordHeader + length;
  if (packet.readUInt16BE(14) !== Number(family)) continue;
  const sign = packet.readUInt16BE(0) === toKernel ? '>' : '<';
  for (const message of messagesIn(packet.subarray(cookedHeader))) {
    console.log(`${sign} ${message.toString('hex')}`);
  }
}

function* messagesIn(datagram: Buffer): Generator<Buffer> {
  for (let at = 0; at + 16 <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    yield datagram.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}
