/**
 * Gathers the address events of a turn of the event loop and reports them once, unless all are of the excepted device. That device
 * may have been created again, so its index is looked up, but only for an event of another index than its last one.
 */
export class AddressChanges {
  readonly #exceptIndex: () => number | undefined;
  readonly #onChange: () => void;
  /** Indexes of the events of this turn, without the excepted device. */
  readonly #seen = new Set<number>();
  #known: number | undefined;
  #isLost = false;
  #turn: NodeJS.Immediate | undefined;

  constructor(exceptIndex: () => number | undefined, onChange: () => void) {
    this.#exceptIndex = exceptIndex;
    this.#onChange = onChange;
  }

  /** Handles an event of a device. */
  on(index: number): void {
    if (index === this.#known) return;
    this.#seen.add(index);
    this.#turn ??= setImmediate(() => this.#report());
  }

  /** Handles the loss of events. */
  onLost(): void {
    this.#isLost = true;
    this.#turn ??= setImmediate(() => this.#report());
  }

  /** Stops reporting. */
  close(): void {
    clearImmediate(this.#turn);
  }

  #report(): void {
    this.#turn = undefined;
    this.#known = this.#exceptIndex();
    if (this.#known !== undefined) this.#seen.delete(this.#known);
    const hasChanged = this.#isLost || this.#seen.size > 0;
    this.#seen.clear();
    this.#isLost = false;
    if (hasChanged) this.#onChange();
  }
}
