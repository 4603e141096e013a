import { BodyError } from './body-error.ts';
import { BlockPool, ByteBuffer } from './byte-buffer.ts';
import { itemLimit, listLimit, objectLimit, skeletonLimit } from './json-stream.ts';
import { decodeMessage, type Message, wireBytes, wireNumber } from './protobuf.ts';
import {
  listMetadata,
  messages,
  typeMeta,
  unknownMessage,
  watchEventMessage,
} from './protobuf-kinds.ts';

/** The first four bytes before every object. */
const prefix = [0x6b, 0x38, 0x73, 0x00];
const wireFixed64 = 1;
const wireFixed32 = 5;
/** Field numbers of runtime.Unknown, and of lists. */
const unknownFields = { typeMeta: 1, raw: 2, contentEncoding: 3 };
const listFields = { metadata: 1, items: 2 };

/** What the next byte is part of. */
type State = 'prefix' | 'tag' | 'length' | 'number' | 'payload';
/** How a payload is used. */
type Use = 'skip' | 'type' | 'encoding' | 'metadata' | 'item';

/**
 * Reads a Kubernetes list in protobuf as it arrives. An item is returned with its last byte, so that at most one item and the metadata of
 * the list are in memory. Lengths are compared with limits before anything is stored.
 *
 *     k8s\0 ‖ 1: apiVersion, kind ‖ 2: length ┬ 1: metadata ‖ 2: item ‖ 2: item … ┬ ‖ 3, 4: nothing
 *                                             └── the list itself ────────────────┘
 */
export class ProtobufListParser {
  readonly #payload: ByteBuffer;
  readonly #onHead: (head: unknown) => void;
  #state: State = 'prefix';
  #use: Use = 'skip';
  #field = 0;
  /** The number that is being read, and the factor of its next seven bits. */
  #number = 0;
  #weight = 1;
  /** How many bytes of the payload are missing. */
  #left = 0;
  /** The number of bytes read, and the position where the list itself ends; -1 outside of it. */
  #position = 0;
  #listEnd = -1;
  #type: Readonly<Record<string, unknown>> = {};
  #item: Message | undefined;
  #metadata: Readonly<Record<string, unknown>> | undefined;
  #hasList = false;
  #itemCount = 0;
  #skeletonLength = 0;

  /**
   * @param pool provides the memory until it is closed
   * @param onHead called with the fields before the items, before any item is returned; may throw
   */
  constructor(pool = new BlockPool(), onHead: (head: unknown) => void = () => {}) {
    this.#payload = new ByteBuffer(pool);
    this.#onHead = onHead;
  }

  /** Takes the next bytes and returns the items that they complete. Throws a BodyError if they cannot be part of a list. */
  push(chunk: Uint8Array): unknown[] {
    const items: unknown[] = [];
    for (let at = 0; at < chunk.length; ) {
      const count = this.#state === 'payload' ? Math.min(this.#left, chunk.length - at) : 1;
      const piece = chunk.subarray(at, at + count);
      at += count;
      this.#position += count;
      if (this.#position > listLimit) throw new BodyError(`a list of more than ${listLimit} bytes`);
      if (this.#state === 'payload') this.#take(piece, items);
      else this.#byte(piece[0] ?? 0, items);
    }
    return items;
  }

  /** Ends the list and returns it without its items. */
  finish(): unknown {
    const isComplete = this.#state === 'tag' && this.#weight === 1 && this.#listEnd < 0;
    if (!isComplete) throw new BodyError('the list breaks off');
    return {
      ...this.#type,
      ...(this.#metadata !== undefined && { metadata: this.#metadata }),
      ...(this.#hasList && { items: [] }),
    };
  }

  /** Gives the memory back. */
  close(): void {
    this.#payload.clear();
  }

  #byte(byte: number, items: unknown[]): void {
    if (this.#state === 'prefix') {
      if (byte !== prefix[this.#position - 1]) throw new BodyError('no protobuf of Kubernetes');
      if (this.#position === prefix.length) this.#state = 'tag';
      return;
    }
    this.#number += (byte & 0x7f) * this.#weight;
    this.#weight *= 128;
    if (this.#weight > 2 ** 70) throw new BodyError('a number of more than ten bytes');
    if (byte >= 0x80) return;
    const number = this.#number;
    this.#number = 0;
    this.#weight = 1;
    if (this.#state === 'tag') this.#startField(number);
    else if (this.#state === 'length') this.#startPayload(number, items);
    else this.#state = 'tag';
    this.#checkEnd();
  }

  #startField(tag: number): void {
    const wireType = tag % 8;
    this.#field = Math.floor(tag / 8);
    if (wireType === wireBytes) this.#state = 'length';
    else if (wireType === wireNumber) this.#state = 'number';
    else if (wireType === wireFixed64 || wireType === wireFixed32) {
      this.#use = 'skip';
      this.#left = wireType === wireFixed64 ? 8 : 4;
      this.#state = 'payload';
    } else throw new BodyError(`wire type ${wireType}`);
  }

  #startPayload(length: number, items: unknown[]): void {
    const isInList = this.#listEnd >= 0;
    const end = this.#position + length;
    if (isInList ? end > this.#listEnd : end > listLimit)
      throw new BodyError(`${length} bytes where there can be no more`);
    this.#state = 'tag';
    if (!isInList && this.#field === unknownFields.raw) return this.#startList(end);
    this.#use = this.#useOf(isInList);
    const isSkeleton = this.#use !== 'item' && this.#use !== 'skip';
    if (isSkeleton) this.#skeletonLength += length;
    if (this.#skeletonLength > skeletonLimit)
      throw new BodyError(`a list with, besides its items, of more than ${skeletonLimit} bytes`);
    if (this.#use === 'item' && length > objectLimit)
      throw new BodyError(`an item of more than ${objectLimit} bytes`);
    this.#left = length;
    if (length > 0) this.#state = 'payload';
    else this.#end(new Uint8Array(0), items);
  }

  #useOf(isInList: boolean): Use {
    const field = this.#field;
    if (isInList) {
      if (field === listFields.metadata) return 'metadata';
      return field === listFields.items ? 'item' : 'skip';
    }
    if (field === unknownFields.typeMeta) return 'type';
    return field === unknownFields.contentEncoding ? 'encoding' : 'skip';
  }

  #startList(end: number): void {
    if (this.#hasList) throw new BodyError('a list that has its items twice');
    this.#hasList = true;
    this.#onHead(this.#type);
    const { kind } = this.#type;
    this.#item = typeof kind === 'string' ? messages.get(kind.replace(/List$/, '')) : undefined;
    if (this.#item === undefined) throw new BodyError('a list of a kind that is not read here');
    this.#listEnd = end;
  }

  #take(piece: Uint8Array, items: unknown[]): void {
    this.#left -= piece.length;
    if (this.#use === 'skip') {
      if (this.#left === 0) this.#state = 'tag';
    } else if (this.#left > 0) this.#payload.append(piece);
    else {
      // Most payloads are in one chunk and are not copied.
      const isWhole = this.#payload.length === 0;
      if (!isWhole) this.#payload.append(piece);
      this.#end(isWhole ? piece : this.#payload.bytes(), items);
      this.#payload.clear();
    }
    this.#checkEnd();
  }

  /** Handles a complete payload. */
  #end(bytes: Uint8Array, items: unknown[]): void {
    this.#state = 'tag';
    if (this.#use === 'type') this.#type = decodeMessage(bytes, typeMeta);
    else if (this.#use === 'metadata') this.#metadata = decodeMessage(bytes, listMetadata);
    else if (this.#use === 'encoding' && bytes.length > 0)
      throw new BodyError('a list that is encoded once more');
    else if (this.#use === 'item' && this.#item !== undefined) {
      this.#itemCount++;
      if (this.#itemCount > itemLimit)
        throw new BodyError(`a list of more than ${itemLimit} items`);
      items.push(decodeMessage(bytes, this.#item));
    }
  }

  /** Leaves the list itself at its end, which must be the end of a field. */
  #checkEnd(): void {
    if (this.#listEnd < 0 || this.#position < this.#listEnd) return;
    if (this.#state !== 'tag' || this.#weight !== 1) throw new BodyError('the list breaks off');
    this.#listEnd = -1;
  }
}

/** Reads the frames of a watch in protobuf as they arrive: a length of four bytes, big-endian, then an event. */
export class FrameParser {
  readonly #frame: ByteBuffer;
  #length = 0;
  /** How many bytes of the length were read. */
  #lengthBytes = 0;

  /** @param pool provides the memory until it is closed */
  constructor(pool = new BlockPool()) {
    this.#frame = new ByteBuffer(pool);
  }

  /** Takes the next bytes and returns the events that they complete. Throws a BodyError if they cannot be events. */
  push(chunk: Uint8Array): unknown[] {
    const events: unknown[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#lengthBytes < 4) {
        this.#length = this.#length * 256 + (chunk[at++] ?? 0);
        this.#lengthBytes++;
        if (this.#lengthBytes === 4) this.#startFrame();
        continue;
      }
      const piece = chunk.subarray(at, at + this.#length - this.#frame.length);
      at += piece.length;
      const isWhole = piece.length === this.#length;
      if (!isWhole) this.#frame.append(piece);
      if (!isWhole && this.#frame.length < this.#length) continue;
      events.push(decodeEvent(isWhole ? piece : this.#frame.bytes()));
      this.#endFrame();
    }
    return events;
  }

  /** Ends the stream. Throws a BodyError in the middle of a frame. */
  finish(): undefined {
    if (this.#lengthBytes > 0) throw new BodyError('the stream breaks off in a frame');
  }

  /** Gives the memory back. */
  close(): void {
    this.#frame.clear();
  }

  /** Begins a frame. An empty one is ignored. */
  #startFrame(): void {
    if (this.#length > objectLimit)
      throw new BodyError(`a frame of more than ${objectLimit} bytes`);
    if (this.#length === 0) this.#endFrame();
  }

  #endFrame(): void {
    this.#frame.clear();
    this.#length = 0;
    this.#lengthBytes = 0;
  }
}

function decodeEvent(bytes: Uint8Array): unknown {
  const { type, object } = decodeMessage(bytes, watchEventMessage) as {
    type?: string;
    object?: { raw?: Uint8Array };
  }; // by the table
  return { type, object: decodeObject(object?.raw ?? new Uint8Array(0)) };
}

/** Decodes an object with its runtime.Unknown. Of a kind that is not read, only the kind is returned. */
export function decodeObject(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (!prefix.every((byte, index) => bytes[index] === byte))
    throw new BodyError('no protobuf of Kubernetes');
  const unknown = decodeMessage(bytes.subarray(prefix.length), unknownMessage) as {
    typeMeta?: { kind?: string; apiVersion?: string };
    raw?: Uint8Array;
    contentEncoding?: string;
  }; // by the table
  if (unknown.contentEncoding !== undefined)
    throw new BodyError('an object that is encoded once more');
  const table = messages.get(unknown.typeMeta?.kind ?? '');
  const fields =
    table === undefined || unknown.raw === undefined ? {} : decodeMessage(unknown.raw, table);
  return { ...unknown.typeMeta, ...fields };
}
