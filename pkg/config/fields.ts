import type { Field } from './field.ts';
import { apiFields } from './fields/api.ts';
import { configurationFields } from './fields/configuration.ts';
import { ipvsFields } from './fields/ipvs.ts';
import { leftoverFields } from './fields/leftovers.ts';
import { localTrafficFields } from './fields/local-traffic.ts';
import { loggingFields } from './fields/logging.ts';
import { nodeFields } from './fields/node.ts';
import { otherModesFields } from './fields/other-modes.ts';
import { proxyFields } from './fields/proxy.ts';
import { serverFields } from './fields/servers.ts';

/**
 * Every option, in the order of the help. The key is the path of the field in a `KubeProxyConfiguration`, or `--name` for what
 * only the command line has. Flags, file, defaults, validation, `/configz` and the reference are all made from this table.
 */
const table = {
  ...configurationFields,
  ...apiFields,
  ...proxyFields,
  ...ipvsFields,
  ...localTrafficFields,
  ...serverFields,
  ...nodeFields,
  ...loggingFields,
  ...otherModesFields,
  ...leftoverFields,
};

/** What names an option: the path of its field, or `--name`. */
export type Path = keyof typeof table;

/** A value for every option, valid or not. */
export type Settings = { readonly [P in Path]: (typeof table)[P]['default'] };

/** An option of which the type of the value is not known: each value must come from the same option. */
export type AnyField = Field<unknown> & { readonly path: Path };

/** Every option as a row. */
export const fields: readonly AnyField[] = Object.entries(table).map(([path, row]) => ({
  ...(row as Field<unknown>), // forgets the type of its values
  path: path as Path, // the keys of the table are its paths
}));

/** What holds if nobody says anything. */
export const defaults: Settings = settingsOf((row) => row.default);

/** Settings made of a value for each option, which must be of the option's type. */
export function settingsOf(valueOf: (row: AnyField) => unknown): Settings {
  const entries = fields.map((row) => [row.path, valueOf(row)]);
  return Object.fromEntries(entries) as Settings; // one entry for each row
}

/** Whether an option has a field in a file. */
export function isFileField({ path }: { readonly path: string }): boolean {
  return !path.startsWith('--');
}
