import { ProgressBoard, type ProgressStage } from '../../runner/progress.ts';
import type { Kind } from '../types.ts';

/**
 * Shows how far the first read of each kind has come, from its first object until all were read. How many there are is not known: a
 * server says that only of lists in pages, and we ask for everything at once. A read that fails and begins anew is the same one here.
 */
export class FirstReads {
  readonly #board: ProgressBoard;
  readonly #stages = new Set<ProgressStage>();

  constructor(board = new ProgressBoard()) {
    this.#board = board;
  }

  /** The first read of a kind; `count` tells how many objects were read. `begin` may be called for each of them. */
  of(kind: Kind, count: () => number): { begin(): void; end(): void } {
    let stage: ProgressStage | undefined;
    let isOver = false;
    return {
      begin: () => {
        if (isOver || stage !== undefined) return;
        stage = this.#board.begin(`reading ${kind}s`, { done: count });
        this.#stages.add(stage);
      },
      end() {
        isOver = true;
        stage?.end();
      },
    };
  }

  /** Ends what is not over, as nobody reads any more. */
  end(): void {
    for (const stage of this.#stages) stage.end();
  }
}
