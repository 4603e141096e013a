import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Proof that its holder works inside a mutex. What may only run there takes a token as a parameter, so that the compiler refuses
 * calls from elsewhere. A token is valid until the work that it was given to ends.
 */
class Token {
  readonly #mutex: Mutex;
  #isOver = false;

  private constructor(mutex: Mutex) {
    this.#mutex = mutex;
  }

  /** Only the mutex of this file can make a token: the class is exported as a type. */
  static make(mutex: Mutex): Token {
    return new Token(mutex);
  }

  static end(token: Token): void {
    token.#isOver = true;
  }

  /** Throws if the work that the token was given to has ended. */
  check(): void {
    if (this.#isOver) throw new Error('a mutex token was used after its turn had ended');
  }

  /** Whether the work that the token was given to has ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it is a token of some mutex. */
  isOf(mutex: Mutex): boolean {
    return this.#mutex === mutex;
  }
}

/** The {@link Token} that a mutex gives to what it runs. */
export type MutexToken = Token;

const none: readonly MutexToken[] = Object.freeze([]);
/** The tokens under which the present asynchronous call chain works. */
const held = new AsyncLocalStorage<readonly MutexToken[]>();

/**
 * Starts work that may wait for a mutex that the caller holds. The caller must not wait for the work's end while it holds it.
 */
export function runDetached<T>(work: () => T): T {
  return held.run(none, work);
}

/**
 * Runs one piece of work at a time, in order of the calls. All work that reads or writes the kernel's state runs inside, so that
 * nothing is written during a dump.
 */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** How many pieces of work run or wait. */
  get length(): number {
    return this.#waiting;
  }

  /**
   * Runs work after all that was requested before, and returns its result. Throws what it throws. Throws if called from inside the
   * mutex, as that would wait for itself; see {@link runDetached}.
   */
  async run<T>(work: (token: MutexToken) => Promise<T> | T): Promise<T> {
    const all = held.getStore() ?? none;
    const outer = all.length === 0 ? none : all.filter(({ isOver }) => !isOver);
    if (outer.some((token) => token.isOf(this)))
      throw new Error('a mutex was asked for from inside: the wait would never end');
    this.#waiting++;
    const turn = this.#last.then(() => this.#take(work, outer));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  async #take<T>(
    work: (token: MutexToken) => Promise<T> | T,
    outer: readonly MutexToken[],
  ): Promise<T> {
    const token = Token.make(this);
    try {
      return await held.run([...outer, token], () => work(token));
    } finally {
      Token.end(token);
    }
  }
}
