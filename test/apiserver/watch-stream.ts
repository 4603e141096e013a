import type { ServerResponse } from 'node:http';
import type { Form } from './answer.ts';
import type { Break, Breakable, Effect, Faults } from './faults.ts';
import type { Json } from './objects.ts';
import { encodeFrame, protobufType } from './protobuf-encode.ts';
import type { ApiRequest } from './request.ts';

const writeSize = 64 * 1024;

/** How the lines of a watch are written. */
export interface Framing {
  readonly contentType: string;
  /** The bytes of a line, which is JSON with a line feed behind it. */
  readonly bytesOf: (line: string) => Buffer;
}

/** JSON, one value a line. */
const lines: Framing = { contentType: 'application/json', bytesOf: (line) => Buffer.from(line) };

/** Protobuf, a frame for each line. */
const frames: Framing = {
  contentType: `${protobufType};stream=watch`,
  bytesOf: (line) => encodeFrame(JSON.parse(line) as { type: string; object: Json }),
};

/** The framing of a form. */
export function framingOf(form: Form): Framing {
  return form === 'protobuf' ? frames : lines;
}

/** When and how a watch breaks by itself. */
interface Doom {
  readonly how: Break;
  /** Written as a last event. */
  readonly lastWords: string;
  left: number;
}

/**
 * The answer to a watch: lines that wait in a queue until the client has read what came before, and the ways in
 * which such an answer can break.
 */
export class WatchStream implements Breakable {
  readonly request: ApiRequest;
  readonly #response: ServerResponse;
  readonly #faults: Faults;
  readonly #bookmark: () => string | undefined;
  readonly #framing: Framing;
  #queue: Buffer[] = [];
  #doom: Doom | undefined;
  #nextBreak: Break | undefined;
  #ending: Break | undefined;
  #isBlocked = false;
  #isFinished = false;

  /** `bookmark` makes the line of a bookmark, if the client wants any. */
  constructor(parts: {
    request: ApiRequest;
    response: ServerResponse;
    faults: Faults;
    bookmark: () => string | undefined;
    framing: Framing;
  }) {
    this.request = parts.request;
    this.#response = parts.response;
    this.#faults = parts.faults;
    this.#bookmark = parts.bookmark;
    this.#framing = parts.framing;
  }

  /** Begins the answer, with the fault that struck the request, if any. */
  start(effect: Effect | undefined): void {
    this.#response.writeHead(200, {
      'content-type': this.#framing.contentType,
      'cache-control': 'no-cache, private',
    });
    this.#response.flushHeaders();
    this.#response.on('drain', () => {
      this.#isBlocked = false;
      this.flush();
    });
    if (effect?.kind === 'cut')
      this.#doom = { how: effect.how, left: effect.afterEvents, lastWords: '' };
    if (effect?.kind === 'error event') {
      this.#doom = { how: 'end', left: effect.afterEvents, lastWords: errorLine(effect) };
    }
    this.#meetDoom();
  }

  /** Adds the line of an event; {@link flush} sends it. */
  push(line: string): void {
    if (this.#ending !== undefined) return;
    if (this.#nextBreak !== undefined) return this.#breakWith(this.#nextBreak, line);
    const bytes = this.#framing.bytesOf(line);
    this.#queue.push(bytes);
    if (this.#faults.hasDuplicateEvents) this.#queue.push(bytes);
    if (this.#doom !== undefined) {
      this.#doom.left--;
      this.#meetDoom();
    }
  }

  /** Sends as much of the queue as the client takes. */
  flush(): void {
    while (this.#queue.length > 0 && !this.#isBlocked && !this.#faults.isPaused) {
      let count = 0;
      for (let size = 0; count < this.#queue.length && size < writeSize; count++)
        size += this.#queue[count]?.length ?? 0;
      const bytes = Buffer.concat(this.#queue.slice(0, count));
      this.#queue = this.#queue.slice(count);
      this.#isBlocked = !this.#response.write(bytes);
    }
    if (this.#queue.length === 0 && this.#ending !== undefined && !this.#faults.isPaused)
      this.#finish(this.#ending);
  }

  /** Ends the answer as a server does at the watch's timeout. */
  end(): void {
    this.break('end');
  }

  break(how: Break): void {
    if (this.#ending === undefined)
      this.#breakWith(how, this.#bookmark() ?? '{"type":"MODIFIED","object":{}}\n');
    this.flush();
  }

  breakAtNextEvent(how: Break): void {
    this.#nextBreak = how;
  }

  sendBookmark(): void {
    const line = this.#bookmark();
    if (line === undefined || !this.#faults.hasBookmarks) return;
    this.push(line);
    this.flush();
  }

  resume(): void {
    this.flush();
  }

  #meetDoom(): void {
    if (this.#doom === undefined || this.#doom.left > 0) return;
    const { lastWords } = this.#doom;
    if (lastWords !== '') this.#queue.push(this.#framing.bytesOf(lastWords));
    if (this.#doom.how === 'mid-event') this.#nextBreak = 'mid-event';
    else this.#ending = this.#doom.how;
  }

  #breakWith(how: Break, line: string): void {
    if (how === 'mid-event') {
      const bytes = this.#framing.bytesOf(line);
      this.#queue.push(bytes.subarray(0, bytes.length / 2));
    }
    this.#ending = how;
  }

  #finish(how: Break): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    if (how === 'end') this.#response.end();
    // The empty write calls back when all that came before has left.
    else this.#response.write('', () => this.#response.destroy());
  }
}

/** The line of an ERROR event. */
export function errorLine(error: { code: number; reason: string; message: string }): string {
  const { code, reason, message } = error;
  const object = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    code,
  };
  return `${JSON.stringify({ type: 'ERROR', object })}\n`;
}
