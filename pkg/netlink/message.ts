import type { Codec, Decoder, Encoder } from '../wire/codec.ts';
import { DecodeError, isLittleEndian, Reader } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { extendedAck, printExtendedAck } from './extended-ack.ts';

/** Flags of nlmsghdr, linux/netlink.h. Numbers from 0x100 on mean one thing in a request to create and another in a request to read. */
const NLM_F_REQUEST = 0x1;
/** In answers: more messages follow, up to NLMSG_DONE. */
export const NLM_F_MULTI = 0x2;
const NLM_F_ACK = 0x4;
/** In answers: the dumped objects changed meanwhile. */
export const NLM_F_DUMP_INTR = 0x10;
/** In requests to read: NLM_F_ROOT and NLM_F_MATCH, all objects. */
export const NLM_F_DUMP = 0x300;
/** In requests to create: EEXIST if it exists. */
export const NLM_F_EXCL = 0x200;
/** In requests to create: create it if it does not exist. */
export const NLM_F_CREATE = 0x400;
/** In answers: the request is not echoed, and extended attributes follow. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

/** nlmsghdr.nlmsg_type of linux/netlink.h: to be ignored. */
export const NLMSG_NOOP = 1;
/** nlmsghdr.nlmsg_type of linux/netlink.h: nlmsgerr, which is an acknowledgement if its error is 0. */
export const NLMSG_ERROR = 2;
/** nlmsghdr.nlmsg_type of linux/netlink.h: the end of a dump, with an s32 that is 0 or a negative errno. */
export const NLMSG_DONE = 3;
/** Types below it are control messages. */
export const NLMSG_MIN_TYPE = 16;

const headerLength = 16;
/** Where nlmsghdr.nlmsg_seq is, which the sender sets: behind length, type and flags. */
export const sequenceOffset = 8;

/** One kind of request: its encoding and that of the answers. Payloads are everything after nlmsghdr. */
export interface Command<Request, Reply> {
  /** The kernel's name, for traces. */
  readonly name: string;
  readonly type: number;
  /** NLM_F_*, besides REQUEST, ACK and DUMP, which the connection adds. */
  readonly flags: number;
  readonly request: Encoder<Request>;
  readonly reply: Decoder<Reply>;
}

/** A command whose messages are encoded and decoded by tables. */
export interface TableCommand<Request, Reply> extends Command<Request, Reply> {
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}

/** Appends a message without a sequence number and returns where it starts. Throws EncodeError if its value does not fit, and appends nothing. */
export function putMessage<Request>(
  writer: Writer,
  command: Command<Request, unknown>,
  value: Request,
): number {
  const start = writer.reserve(headerLength);
  const { view } = writer;
  view.setUint16(start + 4, command.type, isLittleEndian);
  view.setUint16(start + 6, NLM_F_REQUEST | command.flags, isLittleEndian);
  view.setUint32(start + 12, 0, isLittleEndian);
  try {
    command.request.encode(writer, value);
  } catch (error) {
    writer.truncate(start);
    throw error;
  }
  // The buffer may be another one since it grew.
  writer.view.setUint32(start, writer.length - start, isLittleEndian);
  if ((writer.length & 3) !== 0) writer.align();
  return start;
}

/** The payload of the message that starts at `start`, which was written last. */
export function payloadAt(writer: Writer, start: number): Uint8Array {
  const length = writer.view.getUint32(start, isLittleEndian);
  return writer.bytes.subarray(start + headerLength, start + length);
}

/** Requests an acknowledgement of the message that starts at `start`. */
export function askForAck(writer: Writer, start: number): void {
  addFlags(writer, start, NLM_F_ACK);
}

/** Requests all objects with the message that starts at `start`. */
export function askForAll(writer: Writer, start: number): void {
  addFlags(writer, start, NLM_F_DUMP);
}

function addFlags(writer: Writer, start: number, flags: number): void {
  const at = start + 6; // nlmsg_flags
  writer.patchU16(at, writer.view.getUint16(at, isLittleEndian) | flags);
}

/** A cursor over the messages of one datagram. `reader` is at the payload of the current one. */
export class MessageCursor {
  readonly reader: Reader;
  type = 0;
  flags = 0;
  sequence = 0;
  #next = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.reader = new Reader(bytes, 0, 0);
  }

  /** Starts at the first of `length` bytes behind `start`. */
  reset(length: number, start = 0): void {
    this.#next = start;
    this.#end = start + length;
  }

  /** Moves to the next message. False if there is none. */
  next(): boolean {
    const start = this.#next;
    if (this.#end - start < headerLength) return false;
    this.reader.offset = start;
    this.reader.end = this.#end;
    const length = this.reader.u32();
    if (length < headerLength || length > this.#end - start)
      throw new DecodeError(`message of ${length} bytes`);
    this.type = this.reader.u16();
    this.flags = this.reader.u16();
    this.sequence = this.reader.u32();
    this.reader.skip(4);
    this.reader.end = start + length;
    this.#next = start + ((length + 3) & ~3);
    return true;
  }
}

/** The content of an NLMSG_ERROR. Errno 0 is an acknowledgement. */
export interface ErrorReply {
  readonly errno: number;
  /** The kernel's message, or ''. */
  readonly detail: string;
  /** The payload of the request as the kernel returned it; empty on a connection without `echo`. */
  readonly echo: Uint8Array;
}

/** Reads the NLMSG_ERROR at the cursor. */
export function readErrorReply({ reader, flags }: MessageCursor): ErrorReply {
  const errno = -reader.s32();
  const echoLength = reader.u32() - headerLength;
  reader.skip(headerLength - 4);
  const echo =
    (flags & NLM_F_CAPPED) !== 0 || errno === 0 ? new Uint8Array(0) : reader.take(echoLength);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, detail: '', echo };
  reader.skip(Math.min(-echo.length & 3, reader.remaining));
  return { errno, detail: printExtendedAck(extendedAck.decode(reader)), echo };
}
