/** How {@link takeLines} lets other work run. */
export interface LinesOptions {
  /** How many lines are taken between two pauses. */
  readonly pieceLines: number;
  readonly pause: () => Promise<unknown> | undefined;
}

/** Passes on the lines of a text, and pauses after each piece of them: a text may have many thousand. */
export async function takeLines(
  text: string,
  take: (line: string) => void,
  { pieceLines, pause }: LinesOptions,
): Promise<void> {
  let count = 0;
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    take(text.slice(from, to));
    from = to + 1;
    if (++count % pieceLines === 0) await pause();
  }
}
