import { flagOfField, type GivenFlags } from '../../pkg/config/command-line.ts';
import type { Path } from '../../pkg/config/fields.ts';
import { type Loaded, load } from '../../pkg/config/load.ts';
import { printViolation, type Violation } from '../../pkg/config/validate.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import { readConfigText } from './config-file.ts';

/** What {@link loadConfiguration} has besides the flags. */
export interface LoadOptions {
  /** What is wrong with the command line. */
  readonly errors?: readonly string[];
  /** A configuration that counts where `--config` names no file, and its place for errors. */
  readonly standIn?: { readonly place: string; readonly text: string };
}

/** Loads flags and file. Throws one error that names all that is wrong with them. */
export async function loadConfiguration(
  given: GivenFlags,
  { errors = [], standIn }: LoadOptions = {},
): Promise<Loaded> {
  const path = given.values['--config'] ?? '';
  const place = path === '' ? standIn?.place : `--config ${path}`;
  let loaded: Loaded;
  try {
    loaded = load(given, path === '' ? standIn?.text : await readConfigText(path));
  } catch (error) {
    throw new Error([...errors, `${place}: ${errorText(error)}`].join('; '));
  }
  const { violations, fromFlags } = loaded;
  if (violations.length === 0 && errors.length === 0) return loaded;
  const found = violations.map((violation) => describe(violation, fromFlags));
  throw new Error([...errors, ...found].join('; '));
}

/** A violation with the flag that it is from. */
function describe(violation: Violation, fromFlags: ReadonlySet<Path>): string {
  const [path = ''] = violation.field.split('[');
  const isFlag = fromFlags.has(path as Path); // a path of the table, or no member of the set
  const flag = isFlag ? flagOfField(violation.field) : undefined;
  return `${flag === undefined ? '' : `${flag}: `}${printViolation(violation)}`;
}
