import type { Logger } from '../log/log.ts';
import { type Clock, seconds } from './clock.ts';
import { type ProgressBoard, printProgressBar } from './progress.ts';

/** How often the log says how far work has come, in milliseconds. Work that is over before says nothing. */
const logInterval = seconds(5);
/** When a bar appears on a terminal, and how often it is drawn again, in milliseconds. */
const bar = { first: seconds(0.3), interval: seconds(0.1) };

/** What shows the work on a board: at first after `first` milliseconds, then at each interval for as long as it lasts. */
interface Display {
  readonly first: number;
  readonly interval: number;
  readonly show: () => void;
  readonly hide: () => void;
}

/** Logs every few seconds how far the work on a board has come, for as long as it lasts. */
export function logProgress(
  board: ProgressBoard,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Logger, 'info'> },
): void {
  const show = () => {
    for (const { stage, done, total } of board.current)
      log.info(stage, { done, ...(total !== undefined && { total }) });
  };
  display(board, clock, { first: logInterval, interval: logInterval, show, hide() {} });
}

/** Where a bar is drawn: a line that is shown until it is hidden. */
export interface BarLine {
  show(text: string): void;
  hide(): void;
}

/** Draws a bar for the work on a board that began last, for as long as it lasts. `columns` tells how wide the terminal is. */
export function drawProgress(
  board: ProgressBoard,
  {
    clock,
    line,
    columns,
  }: { readonly clock: Clock; readonly line: BarLine; readonly columns: () => number },
): void {
  const show = () => {
    const progress = board.current.at(-1);
    if (progress !== undefined) line.show(printProgressBar(progress, columns()));
  };
  display(board, clock, { ...bar, show, hide: () => line.hide() });
}

/** Shows work whose pieces follow each other without a longer break as one. There is no timer while nothing goes on. */
function display(
  board: ProgressBoard,
  clock: Clock,
  { first, interval, show, hide }: Display,
): void {
  let due = Number.NEGATIVE_INFINITY;
  let cancel = () => {};
  const wait = () => {
    cancel = clock.after(due - clock.now(), () => {
      show();
      due = clock.now() + interval;
      wait();
    });
  };
  board.listen({
    begun() {
      if (clock.now() > due) due = clock.now() + first;
      wait();
    },
    ended() {
      cancel();
      hide();
    },
  });
}
