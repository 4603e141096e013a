import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** The largest number of bytes between the beginnings of two requests: a body and the next header. */
const largestRequest = 16 * 1024;

/** How many bytes are passed on in one turn of the event loop. */
const pieceSize = 1024;

const headerEnd = '\r\n\r\n';

/**
 * A client's socket for `node:http`. It passes on no byte of the next request before the last one is answered, so that the requests
 * of a client that pipelines wait in the client's buffers. A client that sends too much is disconnected.
 */
export class Connection extends Duplex {
  readonly #socket: Socket;
  /** Received bytes that were not passed on yet: one chunk at most, as the socket is paused meanwhile. */
  #received: Buffer = Buffer.alloc(0);
  /** The last bytes passed on, as the end of a header may be split. */
  #tail: Buffer = Buffer.alloc(0);
  #bytesSinceRequest = 0;
  #isAnswering = false;
  /** How many bytes of the request's body may still be passed on while it is answered. */
  #bodyLeft = 0;
  #isScheduled = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
    // Errors of a client's socket are ignored; it is closed next.
    socket.on('error', () => undefined);
  }

  /** Begins to answer a request. False if another one is being answered; the client is disconnected then. */
  beginAnswer(): boolean {
    if (this.#isAnswering) this.destroy();
    if (this.destroyed) return false;
    this.#isAnswering = true;
    this.#bytesSinceRequest = 0;
    return true;
  }

  /** Passes on the request's body, of a given length. */
  passBody(length: number): void {
    this.#bodyLeft = length;
    // Later, as node:http is still parsing the header and must not get more data meanwhile.
    this.#schedule();
  }

  /** Ends the answer, so that the next request may be passed on. */
  endAnswer(): void {
    this.#isAnswering = false;
    this.#bodyLeft = 0;
    this.#passOn();
  }

  /** Does nothing: data is passed on as it arrives, within limits. */
  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #receive(chunk: Buffer): void {
    this.#socket.pause();
    // A client that sends so much without reading an answer is disconnected.
    if (chunk.length > largestRequest) this.destroy();
    else this.#received = chunk;
    this.#passOn();
  }

  #passOn(): void {
    if (this.#isScheduled || this.destroyed) return;
    if (this.#isAnswering && this.#bodyLeft === 0) return;
    if (this.#received.length === 0) {
      this.#socket.resume();
      return;
    }
    const piece = this.#takePiece();
    this.#bytesSinceRequest += piece.length;
    if (this.#bytesSinceRequest > largestRequest) {
      this.destroy();
      return;
    }
    this.push(piece);
    // If the request was complete, its answer has begun after a turn of the event loop.
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#passOn();
    });
  }

  /** The bytes up to the end of a header or body, so that no piece has parts of two requests. */
  #takePiece(): Buffer {
    if (this.#isAnswering) {
      const body = this.#received.subarray(0, Math.min(pieceSize, this.#bodyLeft));
      this.#received = this.#received.subarray(body.length);
      this.#bodyLeft -= body.length;
      return body;
    }
    const bytes = this.#received.subarray(0, pieceSize);
    const end = Buffer.concat([this.#tail, bytes]).indexOf(headerEnd);
    const length = end < 0 ? bytes.length : end + headerEnd.length - this.#tail.length;
    const piece = bytes.subarray(0, length);
    this.#received = this.#received.subarray(length);
    const passed = Buffer.concat([this.#tail, piece]);
    this.#tail = end < 0 ? passed.subarray(1 - headerEnd.length) : Buffer.alloc(0);
    return piece;
  }
}
