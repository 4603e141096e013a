import { readFileSync } from 'node:fs';

// Prints the netlink messages of a capture that tcpdump made on an nlmon device: node hack/capture.ts FAMILY FILE

const [family = '', file = ''] = process.argv.slice(2);
const bytes = readFileSync(file);

const fileHeader = 24;
const recordHeader = 16;
/** A cooked header; its last two bytes are the netlink protocol, in network order. Its packet type says nothing here. */
const cookedHeader = 16;
const messageHeader = 16;
const NETLINK_GENERIC = '16';
const GENL_ID_CTRL = 0x10;
const NLM_F_REQUEST = 1;

for (let at = fileHeader; at < bytes.length; ) {
  const length = bytes.readUInt32LE(at + 8);
  const packet = bytes.subarray(at + recordHeader, at + recordHeader + length);
  at += recordHeader + length;
  if (packet.readUInt16BE(14) !== Number(family)) continue;
  for (const message of messagesIn(packet.subarray(cookedHeader))) {
    // How the number of a family of generic netlink was asked for is left out.
    if (family === NETLINK_GENERIC && message.readUInt16LE(4) === GENL_ID_CTRL) continue;
    const isRequest = (message.readUInt16LE(6) & NLM_F_REQUEST) !== 0;
    console.log(`${isRequest ? '>' : '<'} ${message.toString('hex')}`);
  }
}

function* messagesIn(datagram: Buffer): Generator<Buffer> {
  for (let at = 0; at + messageHeader <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    // Behind its message `ip` sends what is left of its buffer.
    if (length < messageHeader) return;
    yield datagram.subarray(at, at + length);
    at += (length + 3) & ~3;
  }
}
