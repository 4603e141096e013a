/** How many values of one label a metric tells apart; each is a time series for as long as the program runs. */
const valueLimit = 100;
/** The longest value: that of a host and its port. */
const longestValue = 260;
/** What all values beyond the limit are called. */
const rest = '(other)';

/** Bounds the values that the labels of one metric take, whoever chose them: those that come first are told apart. */
export class BoundedLabels<Label extends string> {
  readonly #known = new Map<Label, Set<string>>();

  /** The labels with `(other)` in place of every value that is one too many or too long. */
  of(labels: Readonly<Record<Label, string>>): Readonly<Record<Label, string>> {
    const given = Object.entries(labels) as [Label, string][]; // as the type says
    if (given.every(([label, value]) => this.#admits(label, value))) return labels;
    const bounded = given.map(([label, value]) => [
      label,
      this.#admits(label, value) ? value : rest,
    ]);
    return Object.fromEntries(bounded) as Record<Label, string>;
  }

  /** Gives the places of some values to others. */
  forget(labels: Readonly<Record<Label, string>>): void {
    for (const [label, value] of Object.entries(labels) as [Label, string][]) // as the type says
      this.#known.get(label)?.delete(value);
  }

  #admits(label: Label, value: string): boolean {
    const known = this.#known.get(label) ?? new Set();
    if (known.has(value)) return true;
    if (known.size >= valueLimit || value.length > longestValue) return false;
    this.#known.set(label, known.add(value));
    return true;
  }
}
