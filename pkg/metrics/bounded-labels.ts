/** How many values of one label have series of their own. A series lives as long as the program. */
const valueLimit = 100;
/** The longest value: a host with its port. */
const longestValue = 260;
/** The value of a label in place of all values beyond the limit. */
const rest = '(other)';

/** Limits the number of values that each label of a metric takes. The first ones count. */
export class BoundedLabels<Label extends string> {
  readonly #known = new Map<Label, Set<string>>();

  /** The labels with `(other)` in place of each value that is too many or too long. */
  of(labels: Readonly<Record<Label, string>>): Readonly<Record<Label, string>> {
    for (const label in labels) if (!this.#admits(label, labels[label])) return this.#bound(labels);
    return labels;
  }

  #bound(labels: Readonly<Record<Label, string>>): Readonly<Record<Label, string>> {
    const bounded: Record<Label, string> = { ...labels };
    for (const label in labels) if (!this.#admits(label, labels[label])) bounded[label] = rest;
    return bounded;
  }

  /** Frees the places of some values. */
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
