import { hash } from 'node:crypto';
import { type Clock, minutes, seconds } from '../runner/clock.ts';
import { TokenBucket } from '../runner/token-bucket.ts';
import type { LogRecord, LogSink } from './record.ts';
import { shorten } from './shorten.ts';
import { recordText } from './text-line.ts';

/** The interval in which an equal line is logged once, and after which left-out lines are reported. */
const window = minutes(1);
/** The rates of lines of one message, by verbosity. */
const rates = [
  { upToLevel: 0, burst: 50, interval: seconds(6) },
  // Messages of higher verbosities have no limit.
  { upToLevel: 3, burst: 300, interval: seconds(0.2) },
] as const;
/** How many messages have a bucket of their own. All others share one. */
const messageLimit = 256;
/** How often buckets that are full again are removed. */
const sweepInterval = seconds(10);
/** How many lines are remembered to recognise equal ones. */
const lineLimit = 512;
/** How many messages are reported at once as left out; the others are reported the next time. */
const reportLimit = 20;
/** The longest message with a bucket of its own, and the longest example in a report, in UTF-16 units. */
const longest = { message: 200, example: 1000 };

type Rate = (typeof rates)[number];

/** A message, whatever its fields. */
interface Message {
  readonly text: string;
  readonly rate: Rate;
  readonly bucket: TokenBucket;
  lastUsed: number;
  /** How many lines were left out since the last report, and the first of them. */
  leftOut: number;
  example: string;
}

/**
 * Passes records on to a sink at a limited rate: an equal line once a minute, and of one message a burst and then a few a minute.
 * Lines that are left out are counted and reported a minute later with an example. Each message has a burst of its own, so a noisy
 * one does not suppress others.
 */
export class RateLimit {
  readonly #sink: LogSink;
  readonly #clock: Clock;
  readonly #messages = new Map<string, Message>();
  /** When each line was last passed on, by its digest, oldest first. */
  readonly #lines = new Map<string, number>();
  #nextSweep = Number.NEGATIVE_INFINITY;
  #willTell = false;
  #count = 0;

  constructor(sink: LogSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** How many records were left out since the start. */
  get leftOut(): number {
    return this.#count;
  }

  /** Passes a record on or leaves it out. */
  write(record: LogRecord): void {
    const rate = rates.find(({ upToLevel }) => record.level <= upToLevel);
    if (rate === undefined) return this.#sink(record);
    const message = this.#message(record.message, rate);
    // The bucket comes first, so that a record of a flood costs nothing else.
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

  /** Whether another message can be remembered. Messages whose bucket is full again are removed first. */
  #hasRoom(now: number): boolean {
    if (this.#messages.size < messageLimit) return true;
    if (now < this.#nextSweep) return false;
    this.#nextSweep = now + sweepInterval;
    for (const [key, { rate, lastUsed, leftOut }] of this.#messages) {
      if (leftOut === 0 && now - lastUsed >= rate.burst * rate.interval) this.#messages.delete(key);
    }
    return this.#messages.size < messageLimit;
  }

  /** Whether an equal line was passed on within a minute. If not, this one counts from now on. */
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
        // The error cannot be logged, and this is a timer without a caller.
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
