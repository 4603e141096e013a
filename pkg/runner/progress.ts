/** How far a piece of work has come: `done` of `total` things, or so many of a number that is not known. */
export interface Progress {
  /** What is done, as a verb with its object: `reading Services`. */
  readonly stage: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** Hears when work begins on a board that had none, and when the last work on it has ended; of no step in between. */
export interface ProgressListener {
  begun(): void;
  ended(): void;
}

/** The pieces of work that go on. Who works counts; who shows it reads when it likes, so that a step costs an addition. */
export class ProgressBoard {
  readonly #stages = new Set<Progress>();
  readonly #listeners: ProgressListener[] = [];

  /** The work that goes on, in the order of its beginning. */
  get current(): readonly Progress[] {
    return [...this.#stages];
  }

  /** Begins a piece of work. The caller ends it, whatever happens. */
  begin(stage: string, size: ProgressSize = {}): ProgressStage {
    const begun = new ProgressStage(stage, { ...size, onEnd: () => this.#end(begun) });
    this.#stages.add(begun);
    if (this.#stages.size === 1) for (const listener of this.#listeners) listener.begun();
    return begun;
  }

  /** Shows a piece of work while it runs. Returns what it returns. */
  async during<Result>(
    { stage, ...size }: ProgressSize & { readonly stage: string },
    work: (stage: ProgressStage) => Promise<Result>,
  ): Promise<Result> {
    const begun = this.begin(stage, size);
    try {
      return await work(begun);
    } finally {
      begun.end();
    }
  }

  /** Adds a listener, for the life of the board. */
  listen(listener: ProgressListener): void {
    this.#listeners.push(listener);
    if (this.#stages.size > 0) listener.begun();
  }

  #end(stage: Progress): void {
    if (this.#stages.delete(stage) && this.#stages.size === 0)
      for (const listener of this.#listeners) listener.ended();
  }
}

/** How much there is to do, if that is known, and what counts it, if not {@link ProgressStage.add}. */
export interface ProgressSize {
  readonly total?: number;
  readonly done?: () => number;
}

/** A piece of work that goes on. */
export class ProgressStage implements Progress {
  readonly stage: string;
  readonly total: number | undefined;
  readonly #counted: (() => number) | undefined;
  readonly #onEnd: () => void;
  #added = 0;

  constructor(
    stage: string,
    { total, done, onEnd }: ProgressSize & { readonly onEnd: () => void },
  ) {
    this.stage = stage;
    this.total = total;
    this.#counted = done;
    this.#onEnd = onEnd;
  }

  get done(): number {
    return this.#added + (this.#counted?.() ?? 0);
  }

  /** Counts things that are done. */
  add(count = 1): void {
    this.#added += count;
  }

  /** Takes the work from the board. Has no effect the second time. */
  end(): void {
    this.#onEnd();
  }
}

/** One line for people: `reading Services: 12,000 of 50,000 (24 %)`. */
export function printProgress({ stage, done, total }: Progress): string {
  if (total !== undefined)
    return `${stage}: ${grouped(done)} of ${grouped(total)} (${percentOf(done, total)} %)`;
  return done === 0 ? stage : `${stage}: ${grouped(done)}`;
}

/** How many columns the bar itself has. */
const barWidth = 20;

/** The same with a bar, in less than so many columns of a terminal: `[#####---------------] reading Services: 12,000 of 50,000 (24 %)`. */
export function printProgressBar(progress: Progress, columns: number): string {
  const { done, total } = progress;
  const full =
    total === undefined ? undefined : Math.floor((percentOf(done, total) / 100) * barWidth);
  const bar = full === undefined ? '' : `[${'#'.repeat(full).padEnd(barWidth, '-')}] `;
  return `${bar}${printProgress(progress)}`.slice(0, Math.max(0, columns - 1));
}

/** Whole percent. 100 only once all is done, though a total may have been too small. */
function percentOf(done: number, total: number): number {
  return total === 0 || done >= total ? 100 : Math.floor((done / total) * 100);
}

function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
