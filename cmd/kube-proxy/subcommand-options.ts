/** The options of a subcommand by name, and the arguments that are not its own. */
export interface SubcommandOptions {
  readonly values: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/**
 * Takes a subcommand's own options out of its arguments: `--name value`, `--name=value`, or a letter that stands for the name.
 * Throws if one has no value.
 */
export function takeOptions(
  argv: readonly string[],
  names: Readonly<Record<string, string>>,
): SubcommandOptions {
  const values = new Map<string, string>();
  const rest: string[] = [];
  const waiting = [...argv];
  for (let typed = waiting.shift(); typed !== undefined; typed = waiting.shift()) {
    const [, spelled = '', given] = /^(--?[\w-]+)(?:=(.*))?$/s.exec(typed) ?? [];
    const name = names[spelled];
    if (name === undefined) {
      rest.push(typed);
      continue;
    }
    const value = given ?? waiting.shift();
    if (value === undefined) throw new Error(`flag needs an argument: ${spelled}`);
    values.set(name, value);
  }
  return { values, rest };
}
