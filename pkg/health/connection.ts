import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** How many bytes of a client lie between the beginnings of two requests at most: a body and the next header. */
const largestRequest = 16 * 1024;

/** How many bytes are passed on in one turn of the event loop. */
const pieceSize = 1024;

const headerEnd = '\r\n\r\n';

/**
 * A client's socket as `node:http` is given it: no byte of the next request is passed on before the last one is answered, so that
 * a client that pipelines waits in its own buffers, not in ours. A client that sends too much is cut.
 */
export class Connection extends Duplex {
  readonly #socket: Socket;
  /** Received and not passed on yet: one chunk at most, as the socket is paused meanwhile. */
  #received: Buffer = Buffer.alloc(0);
  /** The last bytes that were passed on, as the end of a header may come in two pieces. */
  #tail: Buffer = Buffer.alloc(0);
  #bytesSinceRequest = 0;
  #isAnswering = false;
  /** Bytes of the request's body that may still be passed on while it is being answered. */
  #bodyLeft = 0;
  #isScheduled = false;

  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
    // What is wrong with a client's socket is of no interest; it is closed next.
    socket.on('error', () => undefined);
  }

  /** A request is there, to be answered now. False if another one is being answered; then the client is cut. */
  beginAnswer(): boolean {
    if (this.#isAnswering) this.destroy();
    if (this.destroyed) return false;
    this.#isAnswering = true;
    this.#bytesSinceRequest = 0;
    return true;
  }

  /** Whoever answers wants to read the request's body, of which so many bytes were announced. */
  passBody(length: number): void {
    this.#bodyLeft = length;
    // Not at once: the reader of requests is still at work on the header, and must not be given more meanwhile.
    this.#schedule();
  }

  /** The answer has been handed to the kernel; the next request may come. */
  endAnswer(): void {
    this.#isAnswering = false;
    this.#bodyLeft = 0;
    this.#passOn();
  }

  /** Nothing to do: what is received is passed on as it comes, and is bounded. */
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
    // Who sends so much without waiting for an answer wants none.
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
    // If a request was complete, its answer has begun when the event loop has turned.
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

  /** The bytes up to the end of a header, or of a body: two requests are never in one piece. */
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
