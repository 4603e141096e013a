/**
 * Gathers the address events of one turn of the event loop and tells of them once, unless all were of one device: its
 * index is asked for only when an event is not of the index it had last, as it may have been made anew.
 */
export class AddressChanges {
  readonly #exceptIndex: () => number | undefined;
  readonly #onChange: () => void;
  /** Devices that events spoke of in this turn, but for the excepted one. */
  readonly #seen = new Set<number>();
  #known: number | undefined;
  #isLost = false;
  #turn: NodeJS.Immediate | undefined;

  constructor(exceptIndex: () => number | undefined, onChange: () => void) {
    this.#exceptIndex = exceptIndex;
    this.#onChange = onChange;
  }

  /** An address of this device came, changed or went. */
  on(index: number): void {
    if (index === this.#known) return;
    this.#seen.add(index);
    this.#turn ??= setImmediate(() => this.#report());
  }

  /** Events were lost. */
  onLost(): void {
    this.#isLost = true;
    this.#turn ??= setImmediate(() => this.#report());
  }

  /** Tells of nothing any more. */
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
