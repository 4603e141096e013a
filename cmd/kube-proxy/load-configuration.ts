import { flagOfField, type GivenFlags } from '../../pkg/config/command-line.ts';
import type { Path } from '../../pkg/config/fields.ts';
import { type Loaded, load } from '../../pkg/config/load.ts';
import { printViolation, type Violation } from '../../pkg/config/validate.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import { readConfigText } from './config-file.ts';

/** Loads flags and file. Throws one error that names all that is wrong with them; `errors` are those of the command line. */
export async function loadConfiguration(
  given: GivenFlags,
  errors: readonly string[] = [],
): Promise<Loaded> {
  const path = given.values['--config'] ?? '';
  let loaded: Loaded;
  try {
    loaded = load(given, path === '' ? undefined : await readConfigText(path));
  } catch (error) {
    throw new Error([...errors, `--config ${path}: ${errorText(error)}`].join('; '));
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
