import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** The report of the demo: sections, lines, and checks that are summed up at the end. */
export class Report {
  readonly #isColoured: boolean;
  #write: (text: string) => unknown;
  readonly #started = performance.now();
  readonly #checks: { readonly isGood: boolean; readonly text: string }[] = [];

  constructor({
    isColoured,
    write = (text) => process.stdout.write(text),
  }: {
    readonly isColoured: boolean;
    readonly write?: (text: string) => unknown;
  }) {
    this.#isColoured = isColoured;
    this.#write = write;
  }

  /** Whether nothing failed so far. */
  get isGood(): boolean {
    return this.#checks.every((check) => check.isGood);
  }

  /** A heading, with the seconds that have passed. */
  section(title: string): void {
    this.line(`\n${this.style('bold', title)}  ${this.style('dim', this.#time())}`);
  }

  /** What came of a command, with the seconds that have passed. */
  note(text: string): void {
    this.line(`      ${this.style('dim', `${text}  ${this.#time()}`)}`);
  }

  /** A line of its own. */
  line(text = ''): void {
    this.#write(`${text}\n`);
  }

  /** A command that is run, as one would type it. */
  command(text: string): void {
    this.line(`  ${this.style('dim', '$')} ${this.style('cyan', text)}`);
  }

  /** Reports whether something holds that must, here and in the summary. Returns whether it does. */
  check(isGood: boolean, text: string): boolean {
    this.#checks.push({ isGood, text });
    if (!isGood) this.line(`  ${this.#mark(false)} ${text}`);
    return isGood;
  }

  /** Rows in columns as wide as their widest cell; the first row is the heading. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0)),
    );
    for (const [index, row] of rows.entries()) {
      const text = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
      this.line(`  ${index === 0 ? this.style('dim', text.trimEnd()) : text.trimEnd()}`);
    }
  }

  /** Every check once more, and what they come to. */
  summary(): void {
    this.section('Summary');
    for (const { isGood, text } of this.#checks) this.line(`  ${this.#mark(isGood)} ${text}`);
    const count = this.#checks.length;
    const failed = this.#checks.filter((check) => !check.isGood).length;
    const verdict = failed === 0 ? `All ${count} hold.` : `${failed} of ${count} FAILED.`;
    this.line(`\n${this.style(['bold', failed === 0 ? 'green' : 'red'], verdict)}`);
  }

  /** Says nothing from now on. */
  silence(): void {
    this.#write = () => undefined;
  }

  /** Text in a style, where the reader is a terminal. */
  style(style: Style, text: string): string {
    return this.#isColoured ? styleText(style, text, { validateStream: false }) : text;
  }

  #time(): string {
    return `${((performance.now() - this.#started) / 1000).toFixed(1)} s`;
  }

  #mark(isGood: boolean): string {
    return isGood ? this.style('green', '✓') : this.style('red', '✗');
  }
}
