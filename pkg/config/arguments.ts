/** What the parser needs to know of a flag. */
export interface FlagShape {
  readonly name: string;
  /** A letter for the flag. */
  readonly shorthand?: string | undefined;
  /** The flag may have no value, so the next argument is never its value. */
  readonly standsAlone: boolean;
}

/** A parsed argument. */
export type Argument =
  /** A flag by its name; `undefined` if it has no value. */
  | { readonly kind: 'flag'; readonly name: string; readonly value: string | undefined }
  /** An unknown flag as typed, without its value. In its name `_` is replaced. */
  | { readonly kind: 'unknown'; readonly name: string; readonly typed: string }
  | { readonly kind: 'positional'; readonly text: string };

/**
 * Parses arguments by the rules of pflag: `--x=y`, `--x y`, `--bool`, `-x y`, `-x=y`, `-xy`, several letters in one; `_` in a name
 * is `-`; after `--` there are no flags. After an unknown flag, an argument that does not begin with `-` counts as its value.
 */
export function readArguments(
  argv: readonly string[],
  flags: Iterable<FlagShape>,
): readonly Argument[] {
  const byName = new Map<string, FlagShape>();
  const byLetter = new Map<string, FlagShape>();
  for (const flag of flags) {
    byName.set(flag.name, flag);
    if (flag.shorthand !== undefined) byLetter.set(flag.shorthand, flag);
  }
  const waiting = [...argv];
  const read: Argument[] = [];
  for (let typed = waiting.shift(); typed !== undefined; typed = waiting.shift()) {
    if (typed === '--') {
      read.push(...waiting.splice(0).map((text) => ({ kind: 'positional', text }) as const));
    } else if (typed.startsWith('--')) read.push(readLong(typed, { byName, waiting }));
    else if (/^-./s.test(typed)) read.push(...readLetters(typed, { byLetter, waiting }));
    else read.push({ kind: 'positional', text: typed });
  }
  return read;
}

function readLong(
  typed: string,
  { byName, waiting }: { byName: ReadonlyMap<string, FlagShape>; waiting: string[] },
): Argument {
  const [, spelled = '', equals, value] = /^--([^=]*)(=)?(.*)$/s.exec(typed) ?? [];
  const name = spelled.replaceAll('_', '-');
  const flag = byName.get(name);
  if (flag === undefined) {
    if (equals === undefined) takeValue(waiting);
    return { kind: 'unknown', name, typed: `--${spelled}` };
  }
  if (equals !== undefined) return { kind: 'flag', name, value };
  return { kind: 'flag', name, value: flag.standsAlone ? undefined : waiting.shift() };
}

function readLetters(
  typed: string,
  { byLetter, waiting }: { byLetter: ReadonlyMap<string, FlagShape>; waiting: string[] },
): readonly Argument[] {
  const read: Argument[] = [];
  let rest = typed.slice(1);
  while (rest !== '') {
    const letter = rest.slice(0, 1);
    const flag = byLetter.get(letter);
    rest = rest.slice(1);
    if (flag === undefined) {
      // Mostly a long name with one dash: the whole is more helpful in the error than its first letter.
      if (rest === '') takeValue(waiting);
      return [{ kind: 'unknown', name: letter, typed: typed.replace(/=.*$/s, '') }];
    }
    if (!flag.standsAlone || rest.startsWith('=')) {
      const value = rest === '' ? waiting.shift() : rest.replace(/^=/, '');
      return [...read, { kind: 'flag', name: flag.name, value }];
    }
    read.push({ kind: 'flag', name: flag.name, value: undefined });
  }
  return read;
}

/** Removes the next argument if it can only be a value. */
function takeValue(waiting: string[]): void {
  if (waiting[0]?.startsWith('-') === false) waiting.shift();
}
