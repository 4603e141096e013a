import { hash } from 'node:crypto';
import { type Clock, minutes, seconds } from '../runner/clock.ts';
import { TokenBucket } from '../runner/token-bucket.ts';
import type { LogRecord, LogSink } from './record.ts';
import { shorten } from './shorten.ts';
import { recordText } from './text-line.ts';

/** How often the same line may come, and after how long those that were left out are told. */
const window = minutes(1);
/** How many lines of one message may come at once, and how often one more, by the level they are wanted at. */
const rates = [
  { upToLevel: 0, burst: 50, interval: seconds(6) },
  // What only debugging wants comes without a limit.
  { upToLevel: 3, burst: 300, interval: seconds(0.2) },
] as const;
/** How many messages have a bucket of their own; all others share one. */
const messageLimit = 256;
/** How often those are looked for that can be forgotten. */
const sweepInterval = seconds(10);
/** How many lines are remembered to know them again. */
const lineLimit = 512;
/** How many messages are told of at once as left out; the others are the next time. */
const reportLimit = 20;
/** The longest message that has a bucket of its own, and the most of an example that is shown, in UTF-16 units. */
const longest = { message: 200, example: 1000 };

type Rate = (typeof rates)[number];

/** One message, whatever its fields. */
interface Message {
  readonly text: string;
  readonly rate: Rate;
  readonly bucket: TokenBucket;
  lastUsed: number;
  /** How many lines were left out since that was last told, and what the first of them said. */
  leftOut: number;
  example: string;
}

/**
 * Lets records through to a sink, but not without end: the same line once a minute, and of one message a burst and
 * then a few a minute. What is left out is counted, and told a minute later with an example. Each message has its own
 * burst, so a noisy one takes no other's place.
 */
export class RateLimit {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #messages = new Map<string, Message>();
  /** When each line was last let through, by its digest, the longest ago first. */
  readonly #lines = new Map<string, number>();
  #nextSweep = Number.NEGATIVE_INFINITY;
  #willTell = false;
  #count = 0;

  constructor(sink: LogSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** How many records were left out in all. */
  get leftOut(): number {
    return this.#count;
  }

  /** Takes a record. */
  write(record: LogRecord): void {
    const rate = rates.find(({ upToLevel }) => record.level <= upToLevel);
    if (rate === undefined) return this.#sink(record);
    const message = this.#message(record.message, rate);
    // The bucket is asked first: in a flood that is all a record costs.
    if (message.bucket.isEmpty || this.#isRepeated(record)) return this.#leaveOut(record, message);
    message.bucket.take();
    this.#sink(record);
  }

  #message(text: string, rate: Rate): Message {
    const now = this.#clock.now();
    const key = `${rate.upToLevel} ${text}`;
    const known = this.#messages.get(key);
    if (known !== undefined) {
      known.lastUsed = now;
      return known;
    }
    if (text !== '' && (text.length > longest.message || !this.#hasRoom(now)))
      return this.#message('', rate);
    const bucket = new TokenBucket({ clock: this.#clock, ...rate });
    const message = { text, rate, bucket, lastUsed: now, leftOut: 0, example: '' };
    this.#messages.set(key, message);
    return message;
  }

  /** Whether one more message can be remembered; those that have rested for so long that their burst is back are forgotten. */
  #hasRoom(now: number): boolean {
    if (this.#messages.size < messageLimit) return true;
    if (now < this.#nextSweep) return false;
    this.#nextSweep = now + sweepInterval;
    for (const [key, { rate, lastUsed, leftOut }] of this.#messages) {
      if (leftOut === 0 && now - lastUsed >= rate.burst * rate.interval) this.#messages.delete(key);
    }
    return this.#messages.size < messageLimit;
  }

  /** Whether the same was let through less than a minute ago; if not, it is now. */
  #isRepeated(record: LogRecord): boolean {
    const now = this.#clock.now();
    const line = hash('sha1', `${record.severity} ${recordText(record)}`);
    const last = this.#lines.get(line);
    if (last !== undefined && now - last < window) return true;
    this.#lines.delete(line);
    this.#lines.set(line, now);
    const [oldest] = this.#lines.keys();
    if (this.#lines.size > lineLimit && oldest !== undefined) this.#lines.delete(oldest);
    return false;
  }

  #leaveOut(record: LogRecord, message: Message): void {
    this.#count++;
    if (message.leftOut++ === 0) message.example = shorten(recordText(record), longest.example);
    this.#reportLater();
  }

  #reportLater(): void {
    if (this.#willTell) return;
    this.#willTell = true;
    this.#clock.after(window, () => {
      this.#willTell = false;
      try {
        this.#report();
      } catch {
        // As for every line that cannot be written: there is nowhere left to say it, and this is nobody's call.
      }
    });
  }

  #report(): void {
    const waiting = [...this.#messages.values()].filter(({ leftOut }) => leftOut > 0);
    for (const message of waiting.slice(0, reportLimit)) {
      const { leftOut: count, example } = message;
      this.#sink({
        severity: 'warning',
        time: this.#clock.wallClock(),
        level: 0,
        message: 'left out log lines like one of a minute ago',
        fields: { count, example },
      });
      message.leftOut = 0;
      message.example = '';
    }
    if (waiting.length > reportLimit) this.#reportLater();
  }
}
